"""Saxe, McClelland, Ganguli (2014), Exact solutions to the nonlinear dynamics of learning in deep linear networks.

Their loss is half the sum over samples, ours half the mean: on white inputs E[x x^T] = 1 both give the equations of
motion with their tau = 1/learning rate. They count layers of neurons, N_l; we count layers of weights, D = N_l - 1.
"""
