"""Judge factors of matrices, which are not unique, by their residuals instead of their values.

Each condition is a residual relative to the matrix. It may be up to ten times that of JAX's
factors, which LAPACK computes on the CPU, or ten units of roundoff where that is more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tests.primitives.cases import Array, Case
from tests.primitives.tolerances import TOLERANCES, DisagreementError

ALLOWED = 10
"""The allowed residual, as a multiple of LAPACK's."""

Residuals = Iterator[tuple[str, Array]]


def as_good_as_lapack(
    case: Case, arguments: Sequence[Array], wanted: Sequence[Array], found: Sequence[Array]
) -> None:
    """Raise ``DisagreementError`` if a residual of ``found`` is larger than allowed."""
    roundoff = float(np.finfo(arguments[0].dtype).eps)
    a = _wide(arguments[0])
    scale = np.abs(a).max(initial=0) or 1.0
    both = (
        RESIDUALS[case.group](a, [_wide(x) for x in factors], case.params)
        for factors in (found, wanted)
    )
    for (name, ours), (_, lapacks) in zip(*both, strict=True):
        size, limit = (np.abs(x).max(initial=0) / scale for x in (ours, lapacks))
        allowed = ALLOWED * max(float(limit), roundoff)
        if not size <= allowed:
            raise DisagreementError(f"{name}: residual {size:.1e}, allowed {allowed:.1e}")
    if case.group in SPECTRA:
        place = SPECTRA[case.group]
        ours, lapacks = _wide(found[place]), _wide(wanted[place])
        tolerance = TOLERANCES[wanted[place].dtype.name] * np.abs(lapacks).max(initial=0)
        if not np.all(np.abs(ours - lapacks) <= tolerance):
            raise DisagreementError(f"values differ by {np.abs(ours - lapacks).max():.1e}")


def _wide(a: Array) -> Array:
    return a.astype(np.complex128)


def _adjoint(a: Array) -> Array:
    return np.conj(a.swapaxes(-1, -2))


def _unitary(q: Array) -> Array:
    return np.asarray(_adjoint(q) @ q - np.eye(q.shape[-1]))


def _cholesky(a: Array, factors: Sequence[Array], _: Any) -> Residuals:
    (lower,) = factors
    yield "L L^H - A", lower @ _adjoint(lower) - a
    yield "above the diagonal", np.triu(lower, 1)


def _lu(a: Array, factors: Sequence[Array], _: Any) -> Residuals:
    both, pivots, permutation = factors
    height, width = a.shape[-2:]
    rank = min(height, width)
    lower = np.tril(both, -1)[..., :rank] + np.eye(height, rank)
    upper = np.triu(both)[..., :rank, :]
    order = permutation.real.astype(int)
    yield "L U - P A", lower @ upper - np.take_along_axis(a, order[..., None], -2)
    yield "pivots", order - _permuted(pivots.real.astype(int), height)
    # Pivoting bounds |re| + |im| by 1.
    yield "elements of L above 1", np.maximum(np.abs(lower) - np.sqrt(2), 0)


def _permuted(pivots: Array, height: int) -> Array:
    order = np.broadcast_to(np.arange(height), (*pivots.shape[:-1], height)).copy()
    for k in range(pivots.shape[-1]):
        chosen = pivots[..., k : k + 1]
        taken = np.take_along_axis(order, chosen, -1)
        np.put_along_axis(order, chosen, order[..., k : k + 1], -1)
        order[..., k : k + 1] = taken
    return order


def _qr(a: Array, factors: Sequence[Array], _: Any) -> Residuals:
    q, r = factors
    yield "Q R - A", q @ r - a
    yield "Q^H Q - 1", _unitary(q)
    yield "below the diagonal", np.tril(r, -1)


def _eigh(a: Array, factors: Sequence[Array], params: dict[str, Any]) -> Residuals:
    vectors, values = factors
    triangle = np.tril(a, -1) if params["lower"] else np.triu(a, 1)
    whole = triangle + _adjoint(triangle) + np.eye(a.shape[-1]) * a.real
    yield "A V - V W", whole @ vectors - vectors * values[..., None, :]
    yield "V^H V - 1", _unitary(vectors)


def _svd(a: Array, factors: Sequence[Array], params: dict[str, Any]) -> Residuals:
    if params["compute_uv"]:
        values, u, v = factors
        rank = values.shape[-1]
        yield "U S V^H - A", (u[..., :rank] * values[..., None, :]) @ v[..., :rank, :] - a
        yield "U^H U - 1", _unitary(u)
        yield "V^H V - 1", _unitary(_adjoint(v))


def _eig(a: Array, factors: Sequence[Array], params: dict[str, Any]) -> Residuals:
    values, *vectors = factors
    yield "sum of the eigenvalues minus the trace", values.sum(-1) - np.trace(a, axis1=-2, axis2=-1)
    shifted = a[..., None, :, :] - values[..., None, None] * np.eye(a.shape[-1])
    yield "A - w 1 is singular", np.linalg.svd(shifted, compute_uv=False)[..., -1:]
    if params["compute_left_eigenvectors"]:
        left = _adjoint(vectors.pop(0))
        yield "V^H A - W V^H", left @ a - values[..., None] * left
        yield "norm of the left vectors minus 1", np.linalg.norm(left, axis=-1) - 1
    if params["compute_right_eigenvectors"]:
        right = vectors.pop(0)
        yield "A V - V W", a @ right - right * values[..., None, :]
        yield "norm of the right vectors minus 1", np.linalg.norm(right, axis=-2) - 1


RESIDUALS: dict[str, Callable[[Array, Sequence[Array], Any], Residuals]] = {
    "cholesky": _cholesky,
    "lu": _lu,
    "qr": _qr,
    "eigh": _eigh,
    "svd": _svd,
    "eig": _eig,
}

SPECTRA = {"eigh": 1, "svd": 0}
"""Groups with a unique, ordered and well-conditioned result, which must equal JAX's: its index."""
