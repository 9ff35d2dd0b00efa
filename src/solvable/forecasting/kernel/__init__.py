"""How the test error of kernel regression falls with the number of samples, forecast from the data at hand."""

from solvable.forecasting.kernel.run import forecast_kernel as forecast_kernel
