"""Jacot, Ged, Simsek, Hongler, Gabriel (2021), Saddle-to-saddle dynamics in deep linear networks.

Their cost is that of the map; here it is the half mean squared error on white inputs, so that -grad C(0) = E[y x^T].
They number layers as we do, from the input up.
"""
