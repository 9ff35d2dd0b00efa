"""Zhang, Saxe, Latham (2026): saddle-to-saddle dynamics explains a simplicity bias across architectures.

The paper's experiments use the loss (1/P) sum |y - f|^2, ours half of it: its learning rate 0.01 is 0.02 here, and the
losses that these claims quote are twice our recorded ones, as the paper prints them.
"""
