"""Zhou, Yang, Ren, Sugiyama, Yan (2025), On the cone effect in the learning dynamics.

There is no formula: what is predicted are the paper's statements, 1 where one is true. The kernel is the full one, over
all pairs of inputs and of scores (the paper leaves this open), and distances are medians over seeds. Their networks are
trained for ten thousand steps on CIFAR-10; here it is LeNet on digits, on shrunk ones and with one convolution at quick
effort.
"""
