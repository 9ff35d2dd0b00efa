"""Figures and tables: theory is a line, a measurement is markers with error bars."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
