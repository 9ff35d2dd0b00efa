"""Seconds that `reduce_width` takes on one dense layer with 512 inputs, and how they grow with its width.

    python benchmarks/reduce_width.py

float64, ReLU, on the cores it finds. Half of the units are scaled copies of the others, with noise in their weights.
The search compares every pair of units, whatever the weights are.
"""

import sys
import time

import numpy as np

from solvable.instruments import reduce_width

INPUT_DIM, OUTPUT_DIM, LIMIT = 512, 10, 20.0


def time_layer(width):
    """Seconds, and the width that is left."""
    rng = np.random.default_rng(0)
    kept = rng.normal(size=(width // 2, INPUT_DIM))
    copies = rng.uniform(0.5, 2, (width // 2, 1)) * (kept + 1e-4 * rng.normal(size=kept.shape))
    first, second = np.concatenate([kept, copies]), rng.normal(size=(OUTPUT_DIM, width))
    data = rng.normal(size=(256, INPUT_DIM))
    start = time.perf_counter()
    reduction = reduce_width((first, second), None, data, 1e-3, activation="relu")
    return time.perf_counter() - start, reduction.width_after


def main():
    time_layer(64)  # what is loaded at the first call
    times = {width: time_layer(width) for width in (1024, 2048, 4096)}
    growth = ", ".join(f"{width} -> {left} in {seconds:.2f} s" for width, (seconds, left) in times.items())
    seconds = times[4096][0]
    print(f"width {growth}; asked < {LIMIT:g} s at 4096: {'reached' if seconds < LIMIT else 'MISSED'}")
    return int(seconds >= LIMIT)


if __name__ == "__main__":
    sys.exit(main())
