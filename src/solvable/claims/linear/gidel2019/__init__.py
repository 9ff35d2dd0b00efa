"""Gidel, Bach, Lacoste-Julien (2019), Implicit regularization of discrete gradient dynamics in linear neural networks.

Their loss has our 1/2n and their time is ours. Their map W is our transpose; e^{-delta} is the size of each of the two
weights of a mode, so that the map starts at e^{-2 delta}.
"""
