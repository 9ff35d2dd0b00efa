"""Exact trajectories and landscapes of linear networks.

Losses are half mean squared errors and times those of their gradient flow, unless a function says otherwise.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
