"""Theory applied to the user's own data: which stages training goes through, when, at what loss."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
