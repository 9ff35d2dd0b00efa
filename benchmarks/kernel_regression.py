"""Speed of kernel regression's theory and forecasts, on all cores, as ratios or seconds measured in one run.

    python benchmarks/kernel_regression.py

The rivals: SciPy's root finder for the effective ridge, one eigendecomposition for a hundred ridges, and
scikit-learn's grid search on the same data. What compiles has compiled before it is timed, but for the forecast,
which is a fresh process.
"""

import json
import subprocess
import sys
import tempfile
import time

import jax
import jax.numpy as jnp
import numpy as np
import scipy.optimize
from report import report
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import GridSearchCV

from solvable import estimators, numerics, tasks
from solvable.theory import kernel

jax.config.update("jax_enable_x64", True)

MODES = 10**6
RIDGES = np.geomspace(1e-4, 1e1, 30)


def seconds(run, times=3):
    run()
    return min(_timed(run) for _ in range(times))


def _timed(run):
    start = time.perf_counter()
    jax.block_until_ready(run())
    return time.perf_counter() - start


def time_effective_ridge():
    eigenvalues = jnp.arange(1, MODES + 1) ** -1.5
    sizes = jnp.geomspace(10, 5e5, 200)
    one = seconds(lambda: kernel.effective_ridge(eigenvalues, 300.0))
    many = seconds(lambda: kernel.effective_ridge(eigenvalues, sizes))
    held = np.asarray(eigenvalues)

    def rival():
        gap = lambda log: np.sum(held / (held + np.exp(log))) - 300.0  # noqa: E731
        return np.exp(scipy.optimize.brentq(gap, -40, 5, xtol=1e-13))

    theirs = _timed(rival)
    off = abs(float(kernel.effective_ridge(eigenvalues, 300.0)) / rival() - 1)
    yield (
        "kappa of a million modes",
        one,
        "<=",
        0.3,
        f"seconds; {theirs / one:.1f}x SciPy's brentq, which agrees to {off:.0e}",
    )
    yield "kappa of 200 numbers of samples", many, "<=", 3, "seconds, a million modes"


def digits(count):
    data = tasks.load_digits()
    order = np.random.default_rng(0).permutation(len(data.inputs))[: count + 1000]
    inputs, targets = data.inputs[order], data.one_hot()[order]
    inputs = (inputs - inputs.mean(axis=0)) / np.sqrt(np.mean(np.sum((inputs - inputs.mean(axis=0)) ** 2, axis=1)))
    targets = targets - targets.mean(axis=0)
    return (inputs[:count], targets[:count]), (inputs[count:], targets[count:])


def time_many_ridges():
    (inputs, targets), _ = digits(3000)
    gram = numerics.gram_matrix(numerics.GaussianKernel(1.0), jnp.asarray(inputs))
    labels, ridges = jnp.asarray(targets[:, :1]), jnp.geomspace(1e-6, 10, 100)
    alone = seconds(lambda: jnp.linalg.eigh(gram))
    whole = seconds(lambda: estimators.factor_kernel(gram, labels).statistics(ridges))
    detail = f"of one eigendecomposition ({alone:.1f} s); leave-one-out included, 3000 samples"
    yield "GCV of 100 ridges", whole / alone, "<=", 1.5, detail


def time_choice_of_ridge():
    train, test = digits(2000)

    def ours():
        gram = numerics.gram_matrix(numerics.GaussianKernel(1.0), jnp.asarray(train[0]))
        factored = estimators.factor_kernel(gram, jnp.asarray(train[1]))
        ridge = RIDGES[int(jnp.argmin(factored.statistics(jnp.asarray(RIDGES)).leave_one_out))]
        cross = numerics.gram_matrix(numerics.GaussianKernel(1.0), jnp.asarray(test[0]), jnp.asarray(train[0]))
        return cross @ factored.dual_weights(ridge)

    def rival():
        search = GridSearchCV(KernelRidge(kernel="rbf", gamma=0.5), {"alpha": RIDGES}, scoring="neg_mean_squared_error")
        return search.fit(*train).predict(test[0])

    error = lambda outputs: float(np.mean(np.sum((np.asarray(outputs) - test[1]) ** 2, axis=1)))  # noqa: E731
    mine, theirs = seconds(ours), _timed(rival)
    detail = f"test error {error(ours()):.5f} against {error(rival()):.5f}; {mine:.1f} s, 2000 digits, 30 ridges"
    yield "choice of the ridge, scikit-learn's grid search", theirs / mine, ">=", 10, detail


def time_forecast():
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "solvable",
            "forecast",
            "--model",
            "kernel",
            "--json",
            "--out",
            f"{folder}/out",
        ]
        start = time.perf_counter()
        answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        took = time.perf_counter() - start
    detail = f"seconds, a fresh process; measured within {answer['curve_gap']:.0%} of the forecast"
    yield "learning curve of 5000 digits", took, "<=", 60, detail


ROWS = {
    "kappa": time_effective_ridge,
    "ridges": time_many_ridges,
    "choice": time_choice_of_ridge,
    "forecast": time_forecast,
}


if __name__ == "__main__":
    sys.exit(report(ROWS, sys.argv[1:], "float64, all cores"))
