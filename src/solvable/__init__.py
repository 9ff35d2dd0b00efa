"""Learning mechanics: solvable models of deep learning, each theory beside a measurement of the same thing.

Importing is light: the rooms below load when first touched, and no global JAX flag is ever set.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = "0.1.0"
