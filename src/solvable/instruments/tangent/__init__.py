"""The tangent kernel of any network: from factors of gradients, in products, in sketches; and how far it moves."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
