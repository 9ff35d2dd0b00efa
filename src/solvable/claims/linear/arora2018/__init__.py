"""Arora, Cohen, Hazan (2018), On the optimization of deep networks: implicit acceleration by overparameterization.

Their loss is any function of the end-to-end matrix, with time as ours; their penalty is our weight decay.
"""
