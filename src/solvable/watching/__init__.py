"""Watching a training run: its kernel, sharpness and width beside the loss, at a small share of the time."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
