"""Canatar, Bordelon, Pehlevan (2021), Spectral bias and task-model alignment explain generalization.

Their ridge lambda is ours, that of the sum over samples; their kappa is n times ours; their generalisation error E_g
leaves out the noise of test labels, as our ``excess`` does. Errors are mean squares without a half.
"""
