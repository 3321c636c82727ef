"""Examples of ``jax.numpy``: shapes, indices, creation and products."""

from __future__ import annotations

import jax.numpy as jnp

from tests.coverage.example import Example, b, c, each, f, i, of, u

_X = f(3, 4)
_CUBE = f(2, 3, 4)
_TWO = (f(3, 4), f(3, 4))


EXAMPLES: list[Example] = [
    *of("size", lambda x: x + jnp.size(x), _X),
    *of("shape", lambda x: x + jnp.shape(x)[0], _X),
    *each(
        jnp,
        "copy array asarray ravel transpose matrix_transpose flip fliplr flipud rot90 "
        "squeeze atleast_1d atleast_2d atleast_3d zeros_like ones_like empty_like diagonal diag "
        "diagflat trace tril triu ndim",
        _X,
    ),
    *each(
        jnp,
        "reshape",
        f(3, 4),
        variants=({"shape": (4, 3)}, {"shape": (-1,)}, {"shape": (3, -1), "order": "F"}),
    ),
    *of("reshape", lambda x: jnp.reshape(x, (x.shape[0], 2, 2)), _X, variant="batch"),
    *each(jnp, "ravel", _X, variants=({"order": "F"},)),
    *each(jnp, "expand_dims", _X, variants=({"axis": 0}, {"axis": (1, 3)})),
    *each(jnp, "squeeze", f(3, 1, 4, 1), variants=({"axis": 1}, {"axis": (1, 3)})),
    *each(jnp, "moveaxis", _CUBE, variants=({"source": 0, "destination": -1},)),
    *each(jnp, "swapaxes", _CUBE, variants=({"axis1": 0, "axis2": 2},)),
    *each(jnp, "rollaxis", _CUBE, variants=({"axis": 2},)),
    *each(jnp, "transpose permute_dims", _CUBE, variants=({"axes": (2, 0, 1)},)),
    *each(jnp, "flip", _CUBE, variants=({"axis": 1}, {"axis": (0, 2)})),
    *each(jnp, "rot90", _CUBE, variants=({"k": 2}, {"k": 3, "axes": (1, 2)})),
    *each(
        jnp,
        "roll",
        _X,
        variants=({"shift": 1}, {"shift": -1, "axis": 1}, {"shift": (1, 2), "axis": (0, 1)}),
    ),
    *of("roll", lambda x, n: jnp.roll(x, n, axis=1), _X, i(), variant="by an input"),
    *each(jnp, "repeat", _X, variants=({"repeats": 2}, {"repeats": 2, "axis": 1})),
    *of(
        "repeat",
        lambda x, n: jnp.repeat(x, n, axis=0, total_repeat_length=6),
        _X,
        i(3),
        variant="by an input",
    ),
    *each(jnp, "tile", _X, variants=({"reps": 2}, {"reps": (2, 1, 3)})),
    *each(jnp, "broadcast_to", f(4), variants=({"shape": (3, 4)},)),
    *each(jnp, "resize", _X, variants=({"new_shape": (2, 8)},)),
    *of("broadcast_arrays", jnp.broadcast_arrays, f(3, 1), f(4)),
    *[
        e
        for mode in (
            "constant",
            "edge",
            "reflect",
            "symmetric",
            "wrap",
            "maximum",
            "minimum",
            "mean",
            "median",
            "linear_ramp",
            "empty",
        )
        for e in each(
            jnp, "pad", f(3, 5), variants=({"pad_width": ((0, 0), (2, 1)), "mode": mode},)
        )
    ],
    *each(
        jnp,
        "pad",
        _X,
        variants=(
            {"pad_width": 1, "constant_values": 2.5},
            {"pad_width": 1, "mode": "reflect", "reflect_type": "odd"},
        ),
    ),
    *[
        e
        for name in (
            "concatenate",
            "concat",
            "stack",
            "hstack",
            "vstack",
            "dstack",
            "column_stack",
            "block",
        )
        for e in of(name, lambda x, y, name=name: getattr(jnp, name)([x, y]), *_TWO)
    ],
    *of("concatenate", lambda x, y: jnp.concatenate([x, y], axis=1), *_TWO, variant="axis=1"),
    *of("stack", lambda x, y: jnp.stack([x, y], axis=-1), *_TWO, variant="axis=-1"),
    *of("append", jnp.append, *_TWO),
    *of("append", lambda x, y: jnp.append(x, y, axis=1), *_TWO, variant="axis=1"),
    *each(
        jnp,
        "split array_split",
        f(4, 6),
        variants=(
            {"indices_or_sections": 2, "axis": 1},
            {"indices_or_sections": (1, 4), "axis": 1},
        ),
    ),
    *each(jnp, "array_split", f(5, 7), variants=({"indices_or_sections": 3, "axis": 1},)),
    *each(jnp, "hsplit", f(2, 4), variants=({"indices_or_sections": 2},)),
    *each(jnp, "vsplit", f(4, 2), variants=({"indices_or_sections": 2},)),
    *each(jnp, "dsplit", f(2, 3, 4), variants=({"indices_or_sections": 2},)),
    *each(jnp, "unstack", _X, variants=({"axis": 1},)),
    *each(jnp, "insert", _X, variants=({"obj": 1, "values": 2.0, "axis": 1},)),
    *each(jnp, "delete", _X, variants=({"obj": 1, "axis": 1},)),
    *of(
        "delete",
        lambda x, k: jnp.delete(x, k, axis=1, assume_unique_indices=True),
        f(3, 6),
        i(2),
        variant="by an input",
    ),
    *each(jnp, "tril triu", _CUBE, variants=({"k": 1}, {"k": -1})),
    *each(jnp, "diag diagflat", f(3), variants=({"k": 0}, {"k": -1})),
    *each(
        jnp,
        "diagonal trace",
        _CUBE,
        variants=({"axis1": 1, "axis2": 2}, {"offset": 1, "axis1": 1, "axis2": 2}),
    ),
    *of("fill_diagonal", lambda x: jnp.fill_diagonal(x, 2.0, inplace=False), f(4, 4)),
    *of("take", lambda x, k: jnp.take(x, k, axis=1), _X, i(2, 3, high=4)),
    *[
        e
        for mode in ("clip", "wrap", "fill")
        for e in of(
            "take",
            lambda x, k, m=mode: jnp.take(x, k, axis=0, mode=m),
            f(5, 4),
            i(2, 3, low=-7, high=9),
            variant=mode,
        )
    ],
    *of("take_along_axis", lambda x, k: jnp.take_along_axis(x, k, axis=1), _X, i(3, 2, high=4)),
    *of(
        "put_along_axis",
        lambda x, k, v: jnp.put_along_axis(x, k, v, axis=1, inplace=False),
        _X,
        i(3, 1, high=4),
        f(3, 1),
    ),
    *of("put", lambda x, k, v: jnp.put(x, k, v, inplace=False), _X, i(1, high=12), f(1)),
    *of("place", lambda x, m: jnp.place(x, m, jnp.array([1.0, 2.0]), inplace=False), _X, b(3, 4)),
    *of("choose", lambda k, x, y: jnp.choose(k, [x, y], mode="clip"), i(3, 4, high=2), *_TWO),
    *of("ndarray", lambda x, k: x[k], _X, i(2, high=3), variant="x[k]"),
    *of("ndarray", lambda x: x[:, ::-2], _X, variant="x[:,::-2]"),
    *of("ndarray", lambda x, k: x.at[:, k].add(1.0), _X, i(2, high=4), variant="x.at[k].add"),
    *of("ndarray", lambda x: x.at[:, 1:3].set(0.0), _X, variant="x.at[1:3].set"),
    *of("ndarray", lambda x: x @ x.T + x.mean(axis=1), f(3, 4), variant="methods"),
    *of(
        "ndarray",
        lambda x: x.view(jnp.int32) if x.dtype == jnp.float32 else x.view(jnp.int64),
        _X,
        variant="view",
    ),
    *each(
        jnp, "indices", variants=({"dimensions": (2, 3)}, {"dimensions": (2, 3), "sparse": True})
    ),
    *each(jnp, "mask_indices", variants=({"n": 3, "mask_func": jnp.triu, "size": 6},)),
    *each(jnp, "diag_indices", variants=({"n": 3},)),
    *each(jnp, "diag_indices_from", f(3, 3)),
    *each(jnp, "tril_indices triu_indices", variants=({"n": 3}, {"n": 3, "k": 1, "m": 4})),
    *each(jnp, "tril_indices_from triu_indices_from", _X),
    *of(
        "ravel_multi_index",
        lambda x, y: jnp.ravel_multi_index((x, y), (5, 5), mode="clip"),
        i(3),
        i(3),
    ),
    *of("unravel_index", lambda k: jnp.unravel_index(k, (5, 5)), i(3, high=25)),
    *of("ix_", jnp.ix_, i(3), i(4)),
    *of("meshgrid", jnp.meshgrid, f(3), f(4)),
    *of(
        "meshgrid",
        lambda x, y: jnp.meshgrid(x, y, indexing="ij", sparse=True),
        f(3),
        f(4),
        variant="ij,sparse",
    ),
    *of("zeros", lambda x: jnp.zeros(x.shape), _X),
    *of("zeros", lambda: jnp.zeros((2, 3), jnp.int32), variant="no input"),
    *of("ones", lambda x: jnp.ones(x.shape), _X),
    *of("ones", lambda: jnp.ones((2, 3), jnp.bool_), variant="no input"),
    *of("empty", lambda x: jnp.empty(x.shape), _X),
    *of("full", lambda x: jnp.full(x.shape, 2.5), _X),
    *of("full", lambda x, v: jnp.full((2, 3), v), _X, f(), variant="by an input"),
    *of("full_like", lambda x: jnp.full_like(x, 2), _X),
    *of("arange", lambda x: jnp.arange(x.shape[0]), _X),
    *of("arange", lambda: jnp.arange(1.0, 3.0, 0.5), variant="no input"),
    *of("linspace", lambda x, y: jnp.linspace(x, y, 5), f(3), f(3)),
    *of(
        "linspace",
        lambda x, y: jnp.linspace(x, y, 5, endpoint=False, retstep=True, axis=-1),
        f(3),
        f(3),
        variant="no end",
    ),
    *of(
        "linspace",
        lambda x, y: jnp.linspace(x, y, 6, dtype=jnp.int32),
        f(3, high=0),
        f(3, low=5, high=9),
        variant="integers",
    ),
    *of("logspace", lambda x, y: jnp.logspace(x, y, 5), f(3), f(3)),
    *of("geomspace", lambda x, y: jnp.geomspace(x, y, 5), f(3, low=1, high=2), f(3, low=3, high=9)),
    *of("eye", lambda x: jnp.eye(x.shape[0], 4), _X),
    *each(jnp, "eye", variants=({"N": 3, "M": 4, "k": 1},)),
    *of("identity", lambda x: jnp.identity(x.shape[0]), _X),
    *of("tri", lambda x: jnp.tri(x.shape[0], 4), _X),
    *each(jnp, "tri", variants=({"N": 3, "M": 4, "k": 1},)),
    *of("vander", lambda x: jnp.vander(x, 4), f(3)),
    *each(jnp, "vander", f(3), variants=({"N": 3, "increasing": True},)),
    *each(jnp, "bartlett blackman hamming hanning", variants=({"M": 7},)),
    *each(jnp, "kaiser", variants=({"M": 7, "beta": 3.0},)),
    *of(
        "kaiser",
        lambda beta: jnp.kaiser(7, beta),
        f(low=1, high=5),
        variant="by an input",
        batch="mapped",
    ),
    *of("fromfunction", lambda x: x + jnp.fromfunction(lambda i, j: i + 2 * j, (3, 4)), f(2, 3, 4)),
    *of("c_", lambda x, y: jnp.c_[x, y], *_TWO),
    *of("r_", lambda x, y: jnp.r_[x, y], *_TWO),
    *of("s_", lambda x: x[jnp.s_[:, 1:3]], _X),
    *of("index_exp", lambda x: x[jnp.index_exp[:, 1:3]], _X),
    *of("mgrid", lambda x: x + jnp.mgrid[0:3, 0:4][0], _X),
    *of("ogrid", lambda x: x + jnp.ogrid[0:3, 0:4][1], _X),
    *each(jnp, "dot matmul", f(3, 4), f(4, 5)),
    *each(jnp, "dot matmul", i(3, 4), i(4, 5)),
    *each(jnp, "dot matmul", c(3, 4), c(4, 5)),
    *each(jnp, "inner outer kron tensordot vdot vecdot", *_TWO, variants=({},)),
    *each(
        jnp, "tensordot", f(2, 3, 4), f(3, 4, 5), variants=({"axes": 2}, {"axes": ((1, 2), (0, 1))})
    ),
    *of("matmul", jnp.matmul, _CUBE, f(2, 4, 5), variant="batch"),
    *each(jnp, "matvec", _CUBE, f(4)),
    *each(jnp, "vecmat", f(2, 3), _CUBE),
    *each(jnp, "vdot vecdot", c(4), c(4)),
    *each(jnp, "cross", f(5, 3), f(5, 3)),
    *[
        e
        for spec in (
            "bij,bjk->bik",
            "bij,bkj->bik",
            "bii->bi",
            "bij->bj",
            "bi,bj->bij",
            "bij,bjk,bk->bi",
        )
        for e in of(
            "einsum",
            lambda *a, s=spec: jnp.einsum(s, *a),
            *[f(*[{"b": 2}.get(k, 3) for k in t]) for t in spec.split("->")[0].split(",")],
            variant=spec,
        )
    ],
    *of("convolve", jnp.convolve, f(8), f(3, fixed=True)),
    *of("correlate", jnp.correlate, f(8), f(3, fixed=True)),
    *each(
        jnp,
        "convolve correlate",
        f(8),
        f(3, fixed=True),
        variants=({"mode": "same"}, {"mode": "valid"}, {"mode": "full"}),
    ),
    *of("poly", jnp.poly, f(3)),
    *each(jnp, "polyadd polysub", f(4), f(3)),
    *each(jnp, "polymul", f(4), f(3)),
    *of(
        "polydiv",
        lambda x, y: jnp.polydiv(x, y, trim_leading_zeros=False),
        f(5),
        f(3, low=1, high=2),
    ),
    *each(jnp, "polyder polyint", f(5), variants=({}, {"m": 2})),
    *each(jnp, "polyval", f(4, fixed=True), f(3)),
    *of("polyfit", lambda x, y: jnp.polyfit(x, y, 2), f(8), f(8), tolerance=(1e-3, 1e-9)),
    *of(
        "roots",
        lambda p: jnp.sort(jnp.abs(jnp.roots(p, strip_zeros=False))),
        f(4, low=1, high=2),
        tolerance=(1e-4, 1e-9),
    ),
    *each(jnp, "packbits", b(3, 16), variants=({"axis": 1}, {"axis": 1, "bitorder": "little"})),
    *each(
        jnp,
        "unpackbits",
        u(3, 2, dtype="uint8", high=255),
        variants=({"axis": 1}, {"axis": 1, "bitorder": "little", "count": 9}),
    ),
]
