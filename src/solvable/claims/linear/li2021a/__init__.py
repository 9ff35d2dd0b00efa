"""Li, Luo, Lyu (2021), Towards resolving the implicit bias of gradient descent for matrix factorization.

Their loss of U is half of f(U U^T), whose flow is that of our two tied layers on f itself: time is ours. Here f is half
the sum of squares over observed entries, both (i, j) and (j, i); deeper factorisations are symmetric networks on f.
"""
