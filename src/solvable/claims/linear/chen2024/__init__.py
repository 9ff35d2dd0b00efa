"""Chen, Kunin, Yamamura, Ganguli (2023/24), Stochastic collapse.

Their time is ours, learning rate times step; their examples are written in it.
"""
