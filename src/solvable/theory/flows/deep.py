"""When deep networks leave zero: the number of layers that must grow together decides how the time depends on them."""

from solvable.errors import OutsideDomain, check_count


def effective_depth(depth: int, skips: tuple[tuple[int, int], ...] = ()) -> int:
    r"""Least number of weight matrices between input and output: what a network with skips is while it is small.

    .. math:: f = W_4 W_3 W_2 W_1 x + W_4 W_1 x \quad\Rightarrow\quad L = 4, \quad L_{\mathrm{eff}} = 2

    Parameters
    ----------
    depth
        L, number of weight matrices, at least 2.
    skips
        Pairs (s, l) of hidden layers, 1 <= s < l <= L - 1: the output of layer s is added to that of layer l.

    Returns
    -------
    int
        L_eff; ``depth`` where nothing is skipped.

    Raises
    ------
    OutsideDomain
        A depth below 2, or a skip between layers that are not there.

    Notes
    -----
    With weights of size epsilon a further factor is smaller by epsilon sqrt(width): the shortest path leads, and the
    layers that it avoids can stay near zero.

    References
    ----------
    zhang2026, Eq. 18 and Fig. 6, caption [networks without a skip, with one and with two layers skipped: 4, 3, 2].

    Examples
    --------
    >>> effective_depth(4, ((1, 3),))
    2
    """
    check_count("depth", depth, at_least=2)
    for source, target in skips:
        if not 0 < source < target < depth:
            raise OutsideDomain(
                f"`skips` holds ({source}, {target}); a skip runs from a hidden layer to a later one, of layers 1 to "
                f"{depth - 1}."
            )
    factors = {1: 1}
    for layer in range(2, depth):
        sources = [source for source, target in skips if target == layer]
        factors[layer] = min([factors[layer - 1] + 1, *(factors[source] for source in sources)])
    return factors[depth - 1] + 1


def escape_exponent(factors: int) -> int:
    r"""The power of 1/epsilon with which the time grows that small weights take to leave a saddle.

    .. math:: \dot\theta = F(\theta), \quad F(c\,\theta) = c^{k-1} F(\theta) \quad\Rightarrow\quad
       T(\epsilon\,\theta_0) = \epsilon^{-(k-2)}\,T(\theta_0)

    Parameters
    ----------
    factors
        k, number of small weights whose product the map needs: the (effective) depth at zero, where a unit quadratic in
        its weights counts twice; at a later saddle only the layers that must recruit units count.

    Returns
    -------
    int
        k - 2. For k = 2 the time grows as ln(1/epsilon)/s instead, with s the largest growth rate.

    Raises
    ------
    OutsideDomain
        Fewer than 2 factors: gradients do not vanish there, so that it is no saddle.

    Notes
    -----
    Exact for the homogeneous flow from the same direction theta_0 at any scale. The network follows it until it is no
    longer small, which costs a time of order 1: a share epsilon^(k - 2) of the whole.

    References
    ----------
    zhang2026, Fig. 6, caption (shallower networks leave zero sooner) and Eq. 18; the exponents are ours.
    """
    check_count("factors", factors, at_least=2)
    return factors - 2
