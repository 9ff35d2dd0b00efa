"""What two classifiers share of a label, where all three are signs of Gaussian scores: performance correlation."""

import numpy as np
from jaxtyping import Float

from solvable.errors import OutsideDomain
from solvable.numerics import entropy


def sign_table(correlations: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "2 2 2"]:
    r"""Probabilities of the signs of three standard Gaussian scores, negative first.

    .. math:: P(a, b, c) = \frac18 + \frac{ab \arcsin\rho_{FL} + ac \arcsin\rho_{FY} + bc \arcsin\rho_{LY}}{4\pi}

    Parameters
    ----------
    correlations
        Of the scores of F, L and Y, in this order; 1 on the diagonal. May be singular.

    Raises
    ------
    OutsideDomain
        No matrix of correlations.

    References
    ----------
    kalimeris2019, setting of the estimator; the toy is added here, by the orthant probabilities of Sheppard (1899).
    """
    correlations = np.asarray(correlations, float)
    if correlations.shape != (3, 3) or not np.allclose(np.diag(correlations), 1):
        raise OutsideDomain(f"`correlations` is {correlations.tolist()}; it must be 3 by 3 with 1 on the diagonal.")
    if not np.allclose(correlations, correlations.T) or np.linalg.eigvalsh(correlations)[0] < -1e-12:
        raise OutsideDomain(f"`correlations` is {correlations.tolist()}, which no three scores have together.")
    angles, signs = np.arcsin(np.clip(correlations, -1, 1)), np.array([-1, 1])
    first, second, third = np.meshgrid(signs, signs, signs, indexing="ij")
    pairs = first * second * angles[0, 1] + first * third * angles[0, 2] + second * third * angles[1, 2]
    return np.maximum(1 / 8 + pairs / (4 * np.pi), 0.0)


def sign_information(correlations: Float[np.ndarray, "3 3"]) -> tuple[float, float, float]:
    r"""I(F;Y), I(F;Y|L) and mu_Y(F;L) in bits, of signs of Gaussian scores.

    .. math:: I(F; Y) = 1 - h_2\Big(\frac12 + \frac{\arcsin\rho_{FY}}{\pi}\Big), \qquad
       \mu_Y(F; L) = I(F; Y) - I(F; Y | L)

    Parameters
    ----------
    correlations
        As for ``sign_table``.

    Returns
    -------
    tuple
        Plain numbers. mu = I(F; Y) exactly where F and Y are independent given the sign L; independence of scores given
        the score of L is not enough. It may be negative.

    Raises
    ------
    OutsideDomain
        As ``sign_table``.

    References
    ----------
    kalimeris2019, definition of the performance correlation.
    """
    table = sign_table(correlations)
    learned = accuracy_information(0.5 + np.arcsin(np.clip(correlations[0, 2], -1, 1)) / np.pi)
    # Of each sign of L by itself, whose probability is one half.
    beyond = sum(
        entropy(given, (0,)) + entropy(given, (1,)) - entropy(given) for given in (2 * table[:, 0], 2 * table[:, 1])
    )
    return learned, beyond / 2, learned - beyond / 2


def accuracy_information(accuracy: float) -> float:
    r"""I(F;Y) = 1 - h_2(accuracy) in bits, for two equally frequent classes that are mistaken for each other alike.

    Parameters
    ----------
    accuracy
        Share of right answers, from 0 to 1; 0 tells as much as 1.

    Raises
    ------
    OutsideDomain
        A share outside 0 to 1.

    References
    ----------
    kalimeris2019, mutual information of a classifier.
    """
    if not 0 <= accuracy <= 1:
        raise OutsideDomain(f"`accuracy` is {accuracy}; it must be between 0 and 1.")
    return 1 - entropy(np.array([accuracy, 1 - accuracy]))
