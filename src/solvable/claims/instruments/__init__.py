"""Claims without a formula: what instruments see of networks in training."""
