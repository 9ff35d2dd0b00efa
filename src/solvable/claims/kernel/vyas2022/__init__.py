"""Vyas, Bansal, Nakkiran (2022), Limitations of the NTK for understanding generalization in deep learning.

They train convolutional and other networks on images; here are targets of a few degrees on the sphere, of which theory
knows the kernel's exponent. Networks are rich: their output starts small, so that the units' directions learn.
"""
