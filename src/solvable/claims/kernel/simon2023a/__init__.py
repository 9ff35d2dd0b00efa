"""Simon, Dickens, Karkada, DeWeese (2023), The eigenlearning framework: a conservation law perspective.

Their conventions are ours: the ridge is that of the sum over samples, errors are mean squares without a half, and test
errors hold the noise of the test labels.
"""
