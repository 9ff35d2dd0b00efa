"""Basri, Galun, Geifman, Jacobs, Kasten, Kritchman (2020), Frequency bias for input of non-uniform density.

Their loss is the half sum of squares, ours its mean over n samples: their step eta is n times ours, and times are
alike, t = eta n steps. Their theorem bounds learning times by kappa^2/p; the constant is that of their kernel.
"""
