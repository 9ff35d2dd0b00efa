"""Which theory forecasts which network."""

from solvable.forecasting.deep_linear import predict_deep_linear
from solvable.forecasting.diagonal import predict_diagonal
from solvable.forecasting.linear import predict_linear
from solvable.forecasting.prediction import Prediction
from solvable.forecasting.relu import predict_relu
from solvable.forecasting.settings import Settings
from solvable.forecasting.units import predict_units
from solvable.tasks import Samples

_ENGINES = {
    "linear": predict_linear,
    "relu": predict_relu,
    "diagonal": predict_diagonal,
    "quadratic": predict_units,
    "attention": predict_units,
    "deep-linear": predict_deep_linear,
}


def predict(samples: Samples, settings: Settings, names: list[str]) -> Prediction:
    """The forecast for a data set.

    Parameters
    ----------
    samples
        Inputs (num_samples, input_dim) and targets (num_samples, output_dim).
    settings
        The network and its training.
    names
        What each output stands for, such as class labels.

    Raises
    ------
    OutsideDomain
        Targets that do not correlate with the inputs, or a learning rate that diverges.

    References
    ----------
    zhang2026; kunin2025 where units take turns.
    """
    return _ENGINES[settings.model](samples, settings, names)
