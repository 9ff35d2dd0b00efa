"""Fewer units for the same map: which units a layer can lose, what that costs, and the narrower model."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
