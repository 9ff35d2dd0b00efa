from .design import Design as Design
from .design import factor_design as factor_design
from .kernel_ridge import FactoredKernel as FactoredKernel
from .kernel_ridge import RidgeStatistics as RidgeStatistics
from .kernel_ridge import factor_kernel as factor_kernel
