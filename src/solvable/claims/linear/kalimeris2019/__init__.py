"""Kalimeris, Kaplun, Nakkiran, Edelman, Yang, Barak, Zhang (2019), SGD learns functions of increasing complexity.

Informations are in bits, as theirs; classifiers are trained on the logistic loss, without factors.
"""
