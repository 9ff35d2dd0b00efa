from .regression import KernelRisk as KernelRisk
from .regression import effective_ridge as effective_ridge
from .regression import kernel_risk as kernel_risk
