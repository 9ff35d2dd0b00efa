"""Speed of the kernels of infinitely wide networks, on all cores, as ratios measured in one run.

    python benchmarks/infinite_width.py [--oracle-python PYTHON]

The rivals: one matrix product a layer, of matrices as large as the kernel; and, with the path of another Python that
has the neural-tangents library (0.6.5 needs jax and jaxlib 0.4.30), its kernels of the same inputs, timed there. What
compiles has compiled before it is timed.
"""

import json
import subprocess
import sys
import tempfile
import time

import jax
import jax.numpy as jnp
import numpy as np
from report import report

from solvable.numerics import activations
from solvable.theory import kernel

jax.config.update("jax_enable_x64", True)

SAMPLES, DEPTH, ORACLE_SAMPLES = 2000, 10, 500

ORACLE = """
import json, sys, time
import jax
jax.config.update("jax_enable_x64", True)
import numpy as np
from neural_tangents import stax
data = np.load(sys.argv[1])
def dense(unit, depth):
    layers = [stax.Dense(1, W_std=1.5**0.5, b_std=0.2)]
    for _ in range(depth - 1):
        layers += [unit(), stax.Dense(1, W_std=1.5**0.5, b_std=0.2)]
    return jax.jit(lambda x: stax.serial(*layers)[2](x, None, "ntk"))
def convolution(depth):
    layers = []
    for _ in range(depth):
        layers += [stax.Conv(1, (3, 3), padding="SAME", W_std=2**0.5), stax.Relu()]
    return jax.jit(lambda x: stax.serial(*layers, stax.GlobalAvgPool(), stax.Dense(1))[2](x, None, "ntk"))
cases = {"relu": (dense(stax.Relu, 10), data["rows"]), "erf": (dense(stax.Erf, 10), data["rows"]),
         "convolution": (convolution(4), data["images"])}
seconds, kernels = {}, {}
for name, (run, inputs) in cases.items():
    kernels[name] = np.asarray(run(inputs))
    start = time.perf_counter()
    jax.block_until_ready(run(inputs))
    seconds[name] = time.perf_counter() - start
np.savez(sys.argv[2], **kernels)
print(json.dumps(seconds))
"""


def seconds(run, times=3):
    jax.block_until_ready(run())
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        jax.block_until_ready(run())
        taken.append(time.perf_counter() - start)
    return min(taken)


def rows(count):
    return np.random.default_rng(0).normal(size=(count, 50))


def dense(inputs, activation):
    return kernel.infinite_width_kernels(
        inputs, depth=DEPTH, activation=activation, weight_variance=1.5, bias_variance=0.04
    ).ntk


def time_against_products():
    inputs, square = jnp.asarray(rows(SAMPLES)), jnp.ones((SAMPLES, SAMPLES))
    multiply = jax.jit(lambda matrix: matrix @ matrix)
    product = DEPTH * seconds(lambda: multiply(square))
    for name in ("relu", "erf"):
        ours = seconds(lambda name=name: dense(inputs, getattr(activations, name)))
        detail = f"of the speed of {DEPTH} products; {ours:.2f} s, both kernels of {SAMPLES} inputs"
        yield f"{DEPTH} layers, {name}", product / ours, ">=", 0.5, detail


def time_against_oracle(python):
    with tempfile.TemporaryDirectory() as folder:
        data, answer = f"{folder}/data.npz", f"{folder}/kernels.npz"
        images = np.random.default_rng(1).normal(size=(8, 12, 12, 3))
        np.savez(data, rows=rows(ORACLE_SAMPLES), images=images)
        printed = subprocess.run(
            [python, "-c", ORACLE, data, answer], check=True, capture_output=True, text=True
        ).stdout
        theirs, kernels = json.loads(printed), dict(np.load(answer))
    inputs, pixels = jnp.asarray(rows(ORACLE_SAMPLES)), jnp.asarray(images)
    runs = {
        "relu": lambda: dense(inputs, activations.relu),
        "erf": lambda: dense(inputs, activations.erf),
        # 2/(channels q^2) in its first layer and 1 in its last are 1/channels and 2/q^2 of ours.
        "convolution": lambda: kernel.convolutional_tangent_kernel(pixels, convolutions=4, first_variance=1 / 3),
    }
    for name, run in runs.items():
        off = float(np.max(np.abs(np.asarray(run()) / kernels[name] - 1)))
        yield f"{name}, relative difference from neural-tangents", off, "<=", 1e-6, "largest of all entries"
        ours = seconds(run)
        yield f"{name}, neural-tangents", theirs[name] / ours, ">=", 1.0, f"times as fast; {ours:.3f} s"


def main(arguments):
    table = {"products": time_against_products}
    if "--oracle-python" in arguments:
        place = arguments.index("--oracle-python")
        python = arguments[place + 1]
        arguments = arguments[:place] + arguments[place + 2 :]
        table["oracle"] = lambda: time_against_oracle(python)
    else:
        print("neural-tangents: skipped, as no --oracle-python was given")
    return report(table, arguments, "float64, all cores")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
