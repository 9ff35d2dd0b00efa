"""What is predicted: plain functions, arrays in, arrays out. Knows nothing of networks or training."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
