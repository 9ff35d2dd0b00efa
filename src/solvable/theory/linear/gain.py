"""What steps of finite size do to a diagonal network: they shrink its scale, by the gain."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from solvable.errors import OutsideDomain, check_count, check_positive


def residual_integral(
    inputs: Float[Array, "num_samples input_dim"], targets: Float[Array, " num_samples"], init_scale: float
) -> Float[Array, "num_samples num_samples"]:
    r"""Second moments of the residuals of all samples over the whole of gradient flow, at depth 2.

    .. math:: R = \int_0^\infty r r^\top dt, \qquad r = X \beta - y, \qquad
       \frac{\mathrm{tr}\,R}{2 n} = \int_0^\infty L\,dt

    Parameters
    ----------
    inputs, targets
        X and y; some predictor must fit them.
    init_scale
        alpha of beta = w_+^2 - w_-^2 from w_+ = w_- = alpha.

    Returns
    -------
    Array
        R, in units of 1/learning rate on the half mean squared error; in the dtype of the inputs.

    Raises
    ------
    OutsideDomain
        A scale that is not positive, or targets that nothing fits: their residuals never go.

    Notes
    -----
    By SciPy's LSODA in float64 on one dual variable a sample, to 1e-9 of R; not traceable.

    References
    ----------
    pesme2021 and even2023, the integrals in their gain laws.
    """
    from scipy.integrate import solve_ivp

    check_positive("init_scale", init_scale)
    matrix, goal = np.asarray(inputs, float), np.asarray(targets, float)
    samples, log_scale = goal.size, 2 * np.log(init_scale)
    least = np.linalg.lstsq(matrix, goal, rcond=None)[0]
    size = np.linalg.norm(goal)
    if np.linalg.norm(matrix @ least - goal) > 1e-6 * size:
        raise OutsideDomain(
            "`targets` cannot be fitted: no predictor has X beta = y, so that residuals never vanish and the gain has "
            "no bound; use consistent targets, or fewer samples than dimensions."
        )
    if size == 0:
        return jnp.zeros((samples, samples), inputs.dtype)

    def residual(dual):
        push = 4 * (dual @ matrix)
        strength = np.exp(log_scale + np.abs(push)) - np.exp(log_scale - np.abs(push))
        return matrix @ (np.sign(push) * strength) - goal

    def slope(time, dual):
        push = 4 * (dual @ matrix)
        steep = np.exp(log_scale + push) + np.exp(log_scale - push)
        return -4 / samples * (matrix * steep) @ matrix.T

    def fitted(time, dual):
        return np.linalg.norm(residual(dual)) / size - 1e-7

    fitted.terminal = True  # pyright: ignore[reportFunctionMemberAccess]
    flow = solve_ivp(
        lambda time, dual: -residual(dual) / samples,
        (0, 1e30),
        np.zeros(samples),
        method="LSODA",
        jac=slope,
        events=fitted,
        dense_output=True,
        rtol=1e-10,
        atol=1e-11,
    )
    nodes, weights = np.polynomial.legendre.leggauss(6)
    lengths = np.diff(flow.t)
    times = flow.t[:-1, None] + lengths[:, None] * (1 + nodes) / 2
    along = np.array([residual(dual) for dual in flow.sol(times.ravel()).T])
    return jnp.asarray((along.T * (lengths[:, None] * weights / 2).ravel()) @ along, inputs.dtype)


def descent_gain(
    inputs: Float[Array, "num_samples input_dim"],
    residuals: Float[Array, "num_samples num_samples"],
    learning_rate: float | Float[Array, ""],
    *,
    batch_size: int | None = None,
    replacement: bool = True,
) -> Float[Array, " input_dim"]:
    r"""The gain of (stochastic) gradient descent with small steps, coordinate by coordinate.

    .. math:: \ln\frac{\alpha^2}{\alpha_\infty^2} = 4 \eta \int_0^\infty
       \Big[c\,\frac1n \sum_i r_i^2 x_{ij}^2 + (1 - c)\,(\nabla_\beta L)_j^2\Big] dt

    Parameters
    ----------
    inputs
        X.
    residuals
        R of ``residual_integral``.
    learning_rate
        eta, small.
    batch_size
        b samples a step, c = 1/b; left out, all of them, c = 0.
    replacement
        Whether samples of a batch are drawn independently; otherwise c = (n - b) / (b (n - 1)).

    Raises
    ------
    OutsideDomain
        A batch size outside 1 to n.

    Notes
    -----
    First order in eta: the path is that of gradient flow. Full batches shrink the scale of the learned coordinates
    most; single samples shrink all of them much more and nearly alike, ``homogeneous_gain``.

    References
    ----------
    even2023, gain of small steps [their eta is twice ours]; pesme2021 for b = 1 [with E[r^2] E[x^2] in place of
    E[r^2 x^2], which is exact for inputs of +-1]. c for other b follows from the variance of a batch's mean.
    """
    samples = inputs.shape[0]
    share = 0.0
    if batch_size is not None:
        check_count("batch_size", batch_size)
        if batch_size > samples:
            raise OutsideDomain(f"`batch_size` is {batch_size}; it must be at most the {samples} samples.")
        share = 1 / batch_size if replacement else (samples - batch_size) / (batch_size * max(samples - 1, 1))
    each = jnp.diagonal(residuals) @ inputs**2 / samples
    whole = jnp.sum(inputs * (residuals @ inputs), axis=0) / samples**2
    return 4 * learning_rate * (share * each + (1 - share) * whole)


def homogeneous_gain(
    inputs: Float[Array, "num_samples input_dim"],
    loss_integral: float | Float[Array, ""],
    learning_rate: float | Float[Array, ""],
) -> Float[Array, " input_dim"]:
    r"""The gain of single-sample SGD from the integral of the loss alone.

    .. math:: \ln\frac{\alpha^2}{\alpha_\infty^2} = 8 \eta\,h \int_0^\infty L\,dt, \qquad
       h = \mathrm{diag}\,\frac{X^\top X}{n}

    Parameters
    ----------
    inputs
        X.
    loss_integral
        Of the half mean squared error, recorded from a run or from ``loss_integral`` of the flow's end.
    learning_rate
        eta.

    Raises
    ------
    Raises nothing.

    Notes
    -----
    Exact per coordinate, to first order in eta, for inputs of +-1. For Gaussian inputs it replaces E[r^2 x^2] by
    E[r^2] E[x^2]: 2 to 7% off on average over coordinates, a factor 0.6 to 2 in single ones (20 samples).

    References
    ----------
    pesme2021, main theorem [their loss is half of ours and their eta twice: their 4 is our 8]; even2023 [4, for u v].
    """
    return 8 * learning_rate * loss_integral * jnp.mean(inputs**2, axis=0)


def small_start_exponent(
    inputs: Float[Array, "num_samples input_dim"], l1_norm: float | Float[Array, ""], learning_rate: float
) -> Float[Array, " input_dim"]:
    r"""The power of alpha that single-sample SGD turns a small alpha into.

    .. math:: \alpha_\infty \simeq \alpha^{\,1 + \eta h \|\beta\|_1}

    Parameters
    ----------
    inputs
        X.
    l1_norm
        Of the predictor that is learned.
    learning_rate
        eta.

    Raises
    ------
    Raises nothing.

    Notes
    -----
    Reached only logarithmically: the exponent's excess over 1 is 15% too large at alpha = 0.01, 3% at 1e-8.

    References
    ----------
    pesme2021, size of the loss integral for small alpha [their eta is twice ours].
    """
    return 1 + learning_rate * jnp.mean(inputs**2, axis=0) * l1_norm
