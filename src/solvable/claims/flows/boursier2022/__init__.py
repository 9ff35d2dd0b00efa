"""Boursier, Pillaud-Vivien, Flammarion (2022): gradient flow of shallow ReLU networks on orthogonal inputs.

The paper's loss is ours. Gradient descent with a small learning rate stands for its gradient flow, and inputs lie along
the axes, which initial weights do not single out, but for the pair of its figure.
"""
