"""In-context linear regression: each sample is a sequence that teaches its own linear map."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from solvable.errors import OutsideDomain, check_count, is_concrete
from solvable.numerics import check_covariance, gaussian_cubature, gaussian_root
from solvable.tasks.samples import FeatureMap, Moments, Samples


class ContextStatistics(eqx.Module):
    """Feature map of a sequence X: the entries of (X X^T) times the query, z_jkl = (X X^T)_jk x_q,l.

    Linear attention reads nothing else. The query's label slot is 0 and is left out of l.

    Attributes
    ----------
    input_dim
        Dimension D of a token's input part; tokens have D + 1 entries.
    mean_over_context
        Whether X X^T is divided by the context length N.
    """

    input_dim: int = eqx.field(static=True)
    mean_over_context: bool = eqx.field(static=True, default=False)
    degree: int = eqx.field(static=True, default=5)

    def __call__(self, inputs: Float[Array, "token_dim tokens"]) -> Float[Array, " size"]:
        gram = inputs @ inputs.T
        gram = gram / (inputs.shape[1] - 1) if self.mean_over_context else gram
        return (gram[:, :, None] * inputs[None, None, :-1, -1]).ravel()


class InContextRegression(eqx.Module):
    """Sequences of N input-label pairs of a random linear map, and a query to label.

    w ~ N(0, I), x_n and x_q ~ N(0, covariance); columns of X are (x_n, w.x_n), the last is (x_q, 0);
    the target is w.x_q.

    Attributes
    ----------
    covariance
        Of the inputs, shape (input_dim, input_dim).
    context_length
        N, number of labelled tokens.
    """

    covariance: Float[Array, "input_dim input_dim"]
    context_length: int = eqx.field(static=True)

    def __check_init__(self):
        check_count("context_length", self.context_length)
        check_covariance(self.covariance)

    @property
    def input_dim(self) -> int:
        return self.covariance.shape[0]

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.input_dim + 1, self.context_length + 1)

    def sample(self, key: Key[Array, ""], num_samples: int) -> Samples:
        """Independent sequences, inputs (num_samples, input_dim + 1, context_length + 1), targets (num_samples, 1).

        Raises OutsideDomain for a size below 1. References: zhang2026, App. I (Fig. 1F).
        """
        check_count("num_samples", num_samples)
        key_inputs, key_maps = jax.random.split(key)
        dtype = self.covariance.dtype
        white = jax.random.normal(key_inputs, (num_samples, self.input_dim, self.context_length + 1), dtype)
        tokens = jnp.einsum("ij,pjn->pin", gaussian_root(self.covariance), white)
        labels = jnp.einsum("pi,pin->pn", jax.random.normal(key_maps, (num_samples, self.input_dim), dtype), tokens)
        shown = labels.at[:, -1].set(0)
        weights = jnp.full(num_samples, 1 / num_samples, dtype)
        return Samples(jnp.concatenate([tokens, shown[:, None, :]], axis=1), labels[:, -1:], weights)

    def moments(self, features: FeatureMap) -> Moments:
        """Exact population moments of the statistics that linear attention reads.

        Averages over w and x_q by Gaussian cubature; over the context by the first two moments of the Wishart
        matrix of its N inputs, E[S_ab S_cd] = N^2 C_ab C_cd + N (C_ac C_bd + C_ad C_bc).

        Parameters
        ----------
        features
            A ``ContextStatistics`` of this input dimension.

        Raises
        ------
        OutsideDomain
            Other features, or an input dimension too large for cubature (above 4).

        References
        ----------
        zhang2026, Eq. 43 and 69; Wishart moments.
        """
        if not isinstance(features, ContextStatistics) or features.input_dim != self.input_dim:
            raise OutsideDomain(
                f"exact moments of in-context regression are known for ContextStatistics({self.input_dim}) only, "
                f"not for {features}; use samples of the task."
            )
        if self.input_dim > 4:
            raise OutsideDomain(
                f"exact moments of in-context regression in {self.input_dim} dimensions would fill the memory; "
                "they are for at most 4: use samples of the task."
            )
        if not is_concrete(self.covariance):
            raise OutsideDomain("exact moments of in-context regression need a concrete covariance, not a traced one.")
        dim, length = self.input_dim, self.context_length
        covariance = np.asarray(self.covariance)
        maps, map_weights = gaussian_cubature(np.eye(dim), 5)
        queries, query_weights = gaussian_cubature(covariance, 7)
        gram_mean, gram_second = _gram_moments(covariance, length, maps, queries)
        scale = 1 / length if features.mean_over_context else 1.0
        weights = np.outer(map_weights, query_weights)
        targets = maps @ queries.T
        size = (dim + 1) ** 2 * dim
        sigma_yz = scale * np.einsum("wq,wq,wqjk,ql->jkl", weights, targets, gram_mean, queries).reshape(1, size)
        sigma_zz = scale**2 * np.einsum("wq,wqjkmn,ql,qo->jklmno", weights, gram_second, queries, queries)
        asarray = lambda values: jnp.asarray(values, self.covariance.dtype)  # noqa: E731
        return Moments(asarray(np.trace(covariance)), asarray(sigma_yz), asarray(sigma_zz.reshape(size, size)))


def _gram_moments(covariance: np.ndarray, length: int, maps: np.ndarray, queries: np.ndarray):
    """E[G] (w, q, j, k) and E[G G] (w, q, j, k, m, n) of G = X X^T for fixed map w and query q."""
    dim = covariance.shape[0]
    lift = np.concatenate([np.broadcast_to(np.eye(dim), (len(maps), dim, dim)), maps[:, None, :]], axis=1)
    token = lift @ covariance @ lift.transpose(0, 2, 1)
    query = np.concatenate([queries, np.zeros((len(queries), 1))], axis=1)
    mean = length * token[:, None] + np.einsum("qj,qk->qjk", query, query)[None]
    spread = np.einsum("wjm,wkn->wjkmn", token, token) + np.einsum("wjn,wkm->wjkmn", token, token)
    return mean, np.einsum("wqjk,wqmn->wqjkmn", mean, mean) + length * spread[:, None]
