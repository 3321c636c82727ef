"""Schur's form by the shifted QR algorithm (Golub and Van Loan, sections 7.5 and 7.6).

A sweep chases a bulge down the diagonal with reflectors of two rows for complex matrices (one
shift), of three rows for real ones (a pair of shifts). The matrices of a batch are swept together,
each in its own active block; rows outside it see no reflector.
"""

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.lax import linalg

from jax2onnx.lower.registry import in_jax, register_lowering
from jax2onnx.lower.rules.linalg.hessenberg import hessenberg
from jax2onnx.lower.rules.linalg.jacobi import padded
from jax2onnx.lower.rules.linalg.matrices import adjoint, magnitude, reflect, reflector
from jax2onnx.lower.rules.linalg.parts import State, column, column_indices, diagonal, row_indices
from jax2onnx.lower.rules.linalg.qr import householder_product

SWEEPS = 30
"""The limit of sweeps for each eigenvalue, as in LAPACK."""


@register_lowering(linalg.schur_p)
@in_jax
def _schur(a: Array, *, compute_schur_vectors: bool, sort_eig_vals: bool, **_: object) -> State:
    """Return T of the Schur decomposition a = Z T Z^H, and Z if it is wanted."""
    if sort_eig_vals:
        raise NotImplementedError("schur: JAX does not sort eigenvalues on the CPU either")
    t, z = schur_form(a)
    return (t, z) if compute_schur_vectors else (t,)


def schur_form(a: Array) -> tuple[Array, Array]:
    """Return T, (quasi-)triangular, and Z; NaN where an element of ``a`` is not finite.

    The blocks of two rows of a real T have equal diagonal elements, and complex eigenvalues.
    """
    size = a.shape[-1]
    if size == 0:
        return a, a
    finite = jnp.all(jnp.isfinite(a), axis=(-2, -1), keepdims=True)
    h, z = _hessenberg_form(jnp.where(finite, a, 0))
    if size > 1:
        h, z = _iterate(h, z)
    if size > 1 and not jnp.iscomplexobj(a):
        h, z = lax.fori_loop(0, size - 1, _standardise, (h, z))
    return jnp.where(finite, h, np.nan), jnp.where(finite, z, np.nan)


def _hessenberg_form(a: Array) -> tuple[Array, Array]:
    packed, taus = hessenberg(a)
    h = jnp.triu(packed, -1)
    inner = householder_product(packed[..., 1:, :-1], taus)
    z = jnp.pad(inner, [(0, 0)] * (a.ndim - 2) + [(1, 0), (1, 0)])
    first = (row_indices(z) == 0) & (column_indices(z) == 0)
    return h, jnp.where(first, 1, z)


def subdiagonal(h: Array) -> Array:
    """Return the elements below the diagonal as a row, followed by a zero."""
    below = row_indices(h) == column_indices(h) + 1
    return jnp.sum(jnp.where(below, h, 0), axis=-2, keepdims=True)


def similarity(h: Array, z: Array, k: Array, x: Array) -> tuple[Array, Array]:
    """Return P^H h P and z P, for the reflector P that maps the column x to the first axis.

    Args:
        h: (..., n, n).
        z: (..., m, n).
        k: the first row and column that P changes.
        x: a column; P changes as many rows and columns as it has rows.
    """
    _, tau, v = reflector(x, 0)
    width = x.shape[-2]

    def turned(a: Array, factor: Array, axis: int) -> Array:
        part = lax.dynamic_slice_in_dim(a, k, width, axis, allow_negative_indices=False)
        if axis == a.ndim - 2:
            part = reflect(part, factor, v)
        else:
            part = adjoint(reflect(adjoint(part), factor, v))
        start = [jnp.zeros_like(k)] * a.ndim
        start[axis] = k
        return lax.dynamic_update_slice(a, part, start, allow_negative_indices=False)

    h = turned(turned(h, jnp.conj(tau), h.ndim - 2), jnp.conj(tau), h.ndim - 1)
    return h, turned(z, jnp.conj(tau), z.ndim - 1)


def _iterate(h: Array, z: Array) -> tuple[Array, Array]:
    """Sweep until no block is active."""
    size = h.shape[-1]
    real = not jnp.iscomplexobj(h)
    limit = SWEEPS * size
    z = padded(z, 0, int(real))  # a window of three rows may reach beyond the last one
    h = padded(h, int(real), int(real))

    def unfinished(state: State) -> Array:
        return jnp.any(state[3] >= 0) & (state[4] < limit)

    def one_sweep(state: State) -> State:
        h, z, low, high, count, since = state
        shifted = _first_column(h, low, high, since % 10 == 9, real)
        first, last = jnp.min(jnp.where(high >= 0, low, size)), jnp.max(high)

        def chase(k: Array, state: State) -> State:
            h, z = state
            x = jnp.where(k == low, shifted, column(h, k - 1))
            within = (row_indices(h) <= high) & (k >= low) & (k < high)
            x = jnp.where(within, x, 0)
            window = lax.dynamic_slice_in_dim(
                x, k, 2 + real, x.ndim - 2, allow_negative_indices=False
            )
            return similarity(h, z, k, window)

        h, z = lax.fori_loop(first, last, chase, (h, z))
        h, new_low, new_high = _deflate(h, real)
        since = jnp.where((new_high == high) & (new_low == low), since + 1, 0)
        return h, z, new_low, new_high, count + 1, since

    h, low, high = _deflate(h, real)
    start: State = (h, z, low, high, jnp.int32(0), jnp.zeros_like(high))
    h, z, *_ = lax.while_loop(unfinished, one_sweep, start)
    return h[..., :size, :size], z[..., :size]


def _deflate(h: Array, real: bool) -> tuple[Array, Array, Array]:
    """Clear negligible elements; return also the first and last row of the lowest active block.

    The last row is -1 where no block is active.
    """
    rows, columns = row_indices(h), column_indices(h)
    sizes = magnitude(diagonal(h))
    following = jnp.roll(sizes, -1, -1)
    below = subdiagonal(h)
    neighbours = sizes + following
    whole = jnp.max(magnitude(h), axis=(-2, -1), keepdims=True)
    least = np.finfo(h.dtype).eps * jnp.where(neighbours == 0, whole, neighbours)
    coupled = magnitude(below) > least
    h = jnp.where((rows <= columns) | ((rows == columns + 1) & coupled), h, 0)
    active = coupled
    if real:  # two rows that are coupled with no other are done
        active = coupled & (jnp.roll(coupled, 1, -1) | jnp.roll(coupled, -1, -1))
    high = jnp.max(jnp.where(active, columns + 1, -1), axis=-1, keepdims=True)
    begins = ~jnp.roll(coupled, 1, -1) & (columns < high)
    low = jnp.max(jnp.where(begins, columns, 0), axis=-1, keepdims=True)
    return h, low, high


def _first_column(h: Array, low: Array, high: Array, stuck: Array, real: bool) -> Array:
    """Return the column ``low`` of h - mu, or of (h - mu)(h - mu*) for a real matrix.

    The shifts mu are eigenvalues of the last two rows of the active block, which are ``low`` to
    ``high``; where many sweeps brought nothing (``stuck``) they are exceptional ones.
    """
    rows = row_indices(h)
    last = jnp.where(rows == high + jnp.array([-1, 0], np.int32), 1, 0).astype(h.dtype)
    corner = jnp.swapaxes(last, -1, -2) @ h @ last
    a, b, c, d = (corner[..., i : i + 1, j : j + 1] for i in (0, 1) for j in (0, 1))
    unit = jnp.where(rows == low, 1, 0).astype(h.dtype)
    x = h @ unit
    if real:
        total, product = a + d, a * d - b * c
        far = abs(c) + abs(a)
        total = jnp.where(stuck, 1.5 * far, total)
        product = jnp.where(stuck, far * far, product)
        return h @ x - total * x + product * unit
    half = (a - d) / 2
    root = jnp.sqrt(half * half + b * c)
    root = jnp.where((jnp.conj(half) * root).real < 0, -root, root)
    far = half + root
    shift = d - jnp.where(far == 0, 0, b * c / far)
    shift = jnp.where(stuck, d + magnitude(c), shift)
    return x - shift * unit


def _standardise(k: Array, state: State) -> tuple[Array, Array]:
    """Split the block of rows k and k + 1 if its eigenvalues are real (LAPACK's ``lanv2``)."""
    h, z = state
    block = lax.dynamic_slice_in_dim(h, k, 2, h.ndim - 2, allow_negative_indices=False)
    block = lax.dynamic_slice_in_dim(block, k, 2, h.ndim - 1, allow_negative_indices=False)
    a, b, c, d = (block[..., i : i + 1, j : j + 1] for i in (0, 1) for j in (0, 1))
    half = (a - d) / 2
    scale = jnp.maximum(abs(half), jnp.maximum(abs(b), abs(c)))
    scale = jnp.where(scale == 0, 1, scale)
    square = half / scale * half + b / scale * c
    split = square >= 0
    root = jnp.sqrt(scale) * jnp.sqrt(jnp.where(split, square, 0))
    real = half + jnp.where(half >= 0, root, -root)
    total = b + c
    length = jnp.sqrt(total * total + 4 * half * half)
    length = jnp.where(length == 0, 1, length)
    cosine = jnp.sqrt((1 + abs(total) / length) / 2)
    sine = -half / (length * cosine) * jnp.where(total >= 0, 1, -1)
    equal = jnp.where(half == 0, 0, sine)
    x = jnp.concatenate([jnp.where(split, real, cosine), jnp.where(split, c, equal)], axis=-2)
    h, z = similarity(h, z, k, jnp.where(c == 0, 0, x))
    rows, columns = row_indices(h), column_indices(h)
    mean = jnp.where(((rows == k) | (rows == k + 1)) & (rows == columns), (a + d) / 2, h)
    cleared = jnp.where((rows == k + 1) & (columns == k), 0, h)
    return jnp.where(split, cleared, mean), z
