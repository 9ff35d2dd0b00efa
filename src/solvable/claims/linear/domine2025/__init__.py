"""Dominé, Anguita, Proca, Braun, Kunin, Mediano, Saxe (2025), From lazy to rich.

Their loss is half the mean over samples, as ours, and their time constant is one over the learning rate: their time is
ours. Their kernel is a matrix on pairs (output, input); ours has the two inputs first.
"""
