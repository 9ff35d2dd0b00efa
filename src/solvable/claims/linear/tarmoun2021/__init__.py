"""Tarmoun, França, Haeffele, Vidal (2021), Dynamics of gradient flow in overparameterized linear models.

Their loss |Y - U V^T|^2 / 2 is ours on white inputs with Y = E[y x^T], U = W_2, V = W_1^T; time is the same.
"""
