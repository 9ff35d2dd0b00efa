"""Belkin, Hsu, Ma, Mandal (2019), Reconciling modern machine-learning practice and the bias-variance trade-off.

Its exactly solved version is Belkin, Hsu, Xu (2020), Two models of double descent for weak features. Errors are mean
squared without a half, noise of new labels included, as theirs. Their networks are not trained here.
"""
