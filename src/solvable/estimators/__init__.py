"""What learns without a network: regression by kernels and by linear maps, at every ridge and every time."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
