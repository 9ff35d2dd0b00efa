"""Where theory meets measurement: one claim ties a paper's statement to both, with a tolerance."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
