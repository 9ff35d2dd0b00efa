"""Karkada, Turnbull, Liu, Simon (2026), Predicting kernel regression learning curves from only raw data statistics.

Their ridge and kernels are ours; their Laplace kernel exp(-|x - x'|/(sqrt2 s)) has our width sqrt2 s.
"""
