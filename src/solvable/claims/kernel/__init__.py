"""Claims of kernel regression: learning curves from a spectrum, and what one training set tells of them."""
