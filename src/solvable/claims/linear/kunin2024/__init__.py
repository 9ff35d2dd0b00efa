"""Kunin, Raventós, Dominé, Chen, Klindt, Saxe, Ganguli (2024), Get rich quick: unbalanced initialisations.

Their loss is half the sum over samples with X^T X = 1, ours half the mean with E[x x^T] = 1: the same function of the
weights, and the same time. Their rates of the layers are ours: first for w, second for a.
"""
