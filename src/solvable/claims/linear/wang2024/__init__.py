"""Wang, Jacot (2024), Implicit bias of SGD in L2-regularized linear DNNs: One-way jumps from high to low rank.

Their loss is that of the observed entries plus lambda times all squared weights, without 1/2; so is it here, with half
a sum of squares over entries.
"""
