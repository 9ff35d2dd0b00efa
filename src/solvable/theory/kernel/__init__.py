"""Kernel regression: what is learned from how many samples, by the spectrum of the kernel."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
