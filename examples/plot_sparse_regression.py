"""
Which predictor does a diagonal network pick, and is it better than the Lasso?
==============================================================================

With 1000 inputs and 100 samples many predictors fit. Which one gradient descent on f(x) = (w_+^D - w_-^D).x ends at
depends on the scale alpha of its initial weights: the least l2 norm from large ones, the least l1 norm from small ones.
``flow_interpolator`` and ``sgd_interpolator`` give it without training. The truth here has five non-zero coefficients;
labels carry noise, which interpolators fit too and scikit-learn's Lasso and ridge, tuned by cross-validation, need not.
"""

import warnings

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import linprog
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LassoCV, RidgeCV

from solvable import networks, tasks, training
from solvable.theory.linear import flow_interpolator, sgd_interpolator

jax.config.update("jax_enable_x64", True)

SAMPLES, DIM, SPARSITY, NOISE = 100, 1000, 5, 0.1
rng = np.random.default_rng(0)
inputs = rng.normal(size=(SAMPLES, DIM))
truth = np.zeros(DIM)
truth[:SPARSITY] = 1 / np.sqrt(SPARSITY)
targets = inputs @ truth + NOISE * rng.normal(size=SAMPLES)
scales = np.geomspace(1e-4, 10, 26)


def error(predictor):
    """Squared error on new inputs, without the noise of labels."""
    return float(np.sum((np.asarray(predictor) - truth) ** 2))


# %%
# The two ends: of all that fit, the least l2 norm and the least l1 norm, by methods that know nothing of networks.

least_l2 = np.linalg.lstsq(inputs, targets, rcond=None)[0]
split = linprog(np.ones(2 * DIM), A_eq=np.hstack([inputs, -inputs]), b_eq=targets).x
least_l1 = split[:DIM] - split[DIM:]

# %%
# Networks of depth 2 and 3 from every scale, and of depth 2 by SGD on single samples: noise shrinks the scale.

depths = {
    depth: np.asarray(
        jax.vmap(lambda scale, depth=depth: flow_interpolator(inputs, targets, scale, depth=depth).predictor)(scales)
    )
    for depth in (2, 3)
}
LEARNING_RATE = 0.02
noisy_scales = np.geomspace(3e-3, 0.08, 6)
noisy = [
    sgd_interpolator(jnp.asarray(inputs), jnp.asarray(targets), scale, LEARNING_RATE, batch_size=1).predictor
    for scale in noisy_scales
]


def train(scale):
    """The network itself, from w_+ = w_- = scale."""
    start = networks.power_difference_start(jnp.full(DIM, scale))
    run = training.sgd(
        start,
        tasks.make_samples(inputs, targets),
        key=jax.random.key(0),
        batch_size=1,
        replacement=True,
        learning_rate=LEARNING_RATE,
        steps=40_000,
        record=2,
    )
    return run.network.coefficients()[0]


trained = jax.jit(jax.vmap(train))(noisy_scales)

# %%
# What people would otherwise use.

with warnings.catch_warnings():
    warnings.simplefilter("ignore", ConvergenceWarning)
    lasso = LassoCV(cv=5, fit_intercept=False).fit(inputs, targets).coef_
ridge = RidgeCV(np.geomspace(1e-3, 1e4, 40), fit_intercept=False).fit(inputs, targets).coef_

figure, (norms, errors) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for colour, (depth, found) in zip(("C0", "C1"), depths.items(), strict=True):
    for order, least, line in ((1, least_l1, "-"), (2, least_l2, "--")):
        excess = np.linalg.norm(found, order, axis=1) / np.linalg.norm(least, order) - 1
        norms.loglog(scales, np.maximum(excess, 1e-9), line, color=colour, label=f"depth {depth}, $\\ell_{order}$")
    errors.loglog(scales, [error(predictor) for predictor in found], color=colour, label=f"depth {depth}, flow")
errors.loglog(noisy_scales, [error(predictor) for predictor in noisy], "C2-", label="depth 2, SGD")
errors.loglog(
    noisy_scales, [error(predictor) for predictor in trained], "C2o", mfc="none", label="depth 2, trained by SGD"
)
for name, predictor, line in (
    ("Lasso, tuned", lasso, "-."), ("ridge, tuned", ridge, ":"), ("least $\\ell_1$", least_l1, "--")
):  # fmt: skip
    errors.axhline(error(predictor), color="0.4", ls=line, label=name)
norms.set(xlabel=r"initial scale $\alpha$", ylabel="norm above the least one, relative", ylim=(1e-5, None))
errors.set(xlabel=r"initial scale $\alpha$", ylabel="error on new inputs")
norms.legend(fontsize="small")
errors.legend(fontsize="small")

print(f"{'predictor':<24}{'l1 norm':>9}{'l2 norm':>9}{'error':>9}")
for name, predictor in (
    ("least l2 norm", least_l2),
    ("depth 2, alpha = 1", depths[2][np.argmin(abs(scales - 1))]),
    ("depth 2, alpha = 1e-4", depths[2][0]),
    ("depth 3, alpha = 1e-4", depths[3][0]),
    ("least l1 norm", least_l1),
    ("Lasso, tuned", lasso),
    ("ridge, tuned", ridge),
):
    print(f"{name:<24}{np.linalg.norm(predictor, 1):>9.3f}{np.linalg.norm(predictor):>9.3f}{error(predictor):>9.3f}")

plt.show()
