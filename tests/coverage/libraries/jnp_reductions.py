"""Examples of ``jax.numpy``: sums, extrema, statistics, scans, sorts and sets."""

from __future__ import annotations

import jax.numpy as jnp

from tests.coverage.example import Example, Variants, b, c, each, f, i, of, present

_X = f(3, 4)
_SPARSE = i(3, 4, low=0, high=3)
_AXES: Variants = ({}, {"axis": 1}, {"axis": 0}, {"axis": (0, 1), "keepdims": True})
_AXIS: Variants = ({}, {"axis": 1}, {"axis": 0, "keepdims": True})
_SORTED = f(5, low=0, high=1, fixed=True)


def _ascending(x: jnp.ndarray) -> jnp.ndarray:
    return jnp.cumsum(jnp.abs(x), axis=-1)


EXAMPLES: list[Example] = [
    *each(
        jnp,
        "sum prod max min amax amin mean std var ptp nansum nanprod nanmax nanmin nanmean "
        "nanstd nanvar count_nonzero all any",
        _X,
        variants=_AXES,
    ),
    *each(jnp, present(jnp, "minmax"), _X, variants=_AXES),
    *of(present(jnp, "top_k"), lambda x: jnp.top_k(x, 2), _X),
    *of(
        present(jnp, "top_k"),
        lambda x: jnp.top_k(x, 2, axis=0, mode="smallest"),
        _X,
        variant="smallest",
    ),
    *each(jnp, "median nanmedian argmax argmin nanargmax nanargmin", _X, variants=_AXIS),
    *each(
        jnp, "sum prod max min mean argmax argmin count_nonzero", i(3, 4, low=-4), variants=_AXIS
    ),
    *each(jnp, "all any sum count_nonzero argmax", b(3, 4), variants=_AXIS),
    *each(jnp, "sum prod mean var std", c(3, 4), variants=({}, {"axis": 1})),
    *each(jnp, "std var nanstd nanvar", _X, variants=({"ddof": 1, "axis": 1},)),
    *of("sum", lambda x: jnp.sum(x, axis=1, where=x > 0, initial=2.0), _X, variant="where"),
    *of("max", lambda x: jnp.max(x, axis=1, where=x > 0, initial=0.0), _X, variant="where"),
    *of("mean", lambda x: jnp.mean(x, axis=1, where=x > -9), _X, variant="where"),
    *[
        e
        for name in [
            "nansum",
            "nanprod",
            "nanmax",
            "nanmin",
            "nanmean",
            "nanstd",
            "nanvar",
            "nanmedian",
            "nanargmax",
            "nanargmin",
            "nancumsum",
            "nancumprod",
        ]
        for e in of(
            name,
            lambda x, name=name: getattr(jnp, name)(jnp.where(x > 1, jnp.nan, x), axis=1),
            _X,
            variant="with nan",
        )
    ],
    *of("average", jnp.average, _X),
    *of(
        "average",
        lambda x, w: jnp.average(x, axis=1, weights=w),
        _X,
        f(4, low=0.1, high=1),
        variant="weights",
    ),
    *each(
        jnp,
        "quantile nanquantile",
        _X,
        variants=[
            {"q": 0.3},
            {"q": 0.5, "axis": 1},
            *(
                {"q": 0.7, "axis": 1, "method": m}
                for m in ("lower", "higher", "nearest", "midpoint")
            ),
        ],
    ),
    *of(
        "quantile", lambda x: jnp.quantile(x, jnp.array([0.1, 0.9]), axis=1), _X, variant="several"
    ),
    *of(
        "nanquantile",
        lambda x: jnp.nanquantile(jnp.where(x > 1, jnp.nan, x), 0.3, axis=1),
        _X,
        variant="with nan",
    ),
    *each(
        jnp,
        "percentile nanpercentile",
        _X,
        variants=({"q": 30}, {"q": 50, "axis": 1}, {"q": 9.0, "axis": 0, "keepdims": True}),
    ),
    *each(jnp, "cumsum cumprod nancumsum nancumprod", _X, variants=({}, {"axis": 1}, {"axis": 0})),
    *each(
        jnp,
        "cumulative_sum cumulative_prod",
        _X,
        variants=({"axis": 1}, {"axis": 0, "include_initial": True}),
    ),
    *each(jnp, "cumsum cumprod", _SPARSE, variants=({"axis": 1},)),
    *each(jnp, "cumsum cumprod", c(3, 4), variants=({"axis": 1},)),
    *each(
        jnp, "sort argsort", _X, variants=({}, {"axis": 0}, {"axis": None}, {"descending": True})
    ),
    *each(jnp, "sort argsort", i(3, 6, low=-9), variants=({}, {"descending": True})),
    *each(jnp, "sort_complex", f(5)),
    *each(jnp, "partition argpartition", f(3, 6), variants=({"kth": 2}, {"kth": 1, "axis": 0})),
    *of("lexsort", lambda x, y: jnp.lexsort((x, y)), i(6), i(6)),
    *of("searchsorted", lambda a, v: jnp.searchsorted(_ascending(a), v), _SORTED, f(4)),
    *[
        e
        for method in ("scan", "scan_unrolled", "sort", "compare_all")
        for side in ("left", "right")
        for e in of(
            "searchsorted",
            lambda a, v, m=method, s=side: jnp.searchsorted(_ascending(a), v, method=m, side=s),
            _SORTED,
            f(4),
            variant=f"{method},{side}",
        )
    ],
    *of("digitize", lambda x, bins: jnp.digitize(x, _ascending(bins)), f(4), _SORTED),
    *of(
        "digitize",
        lambda x, bins: jnp.digitize(x, -_ascending(bins), right=True),
        f(4),
        _SORTED,
        variant="descending",
    ),
    *each(jnp, "corrcoef cov", f(3, 5)),
    *each(jnp, "corrcoef cov", f(5), f(5), variants=({"rowvar": True},)),
    *each(jnp, "cov", f(3, 5), variants=({"rowvar": False}, {"bias": True}, {"ddof": 0})),
    *of(
        "cov",
        lambda x, w: jnp.cov(x, aweights=w),
        f(3, 5),
        f(5, low=0.1, high=1),
        variant="weights",
    ),
    *each(jnp, "diff", f(3, 6), variants=({}, {"n": 2}, {"axis": 0}, {"prepend": 0.0})),
    *each(jnp, "ediff1d", f(6)),
    *of(
        "ediff1d",
        lambda x: jnp.ediff1d(x, to_begin=1.0, to_end=jnp.array([2.0, 3.0])),
        f(6),
        variant="ends",
    ),
    *each(jnp, "gradient", f(3, 6), variants=({}, {"axis": 1})),
    *of("gradient", lambda x: jnp.gradient(x, 0.5, axis=1), f(3, 6), variant="spacing"),
    *each(jnp, "trapezoid", f(3, 6), variants=({}, {"dx": 0.5, "axis": 0})),
    *of("trapezoid", lambda y, x: jnp.trapezoid(y, _ascending(x)), f(3, 6), f(6), variant="x"),
    *each(jnp, "bincount", i(6), variants=({"length": 7},)),
    *of("bincount", lambda x, w: jnp.bincount(x, w, length=5), i(6), f(6), variant="weights"),
    *each(
        jnp,
        "histogram histogram_bin_edges",
        f(9),
        variants=({}, {"bins": 4}, {"bins": 3, "range": (-1.0, 1.0)}),
    ),
    *each(jnp, "histogram", f(9), variants=({"bins": 4, "density": True},)),
    *of("histogram", lambda x, e: jnp.histogram(x, _ascending(e)), f(9), _SORTED, variant="edges"),
    *of("histogram2d", lambda x, y: jnp.histogram2d(x, y, bins=3), f(9), f(9)),
    *of("histogramdd", lambda x: jnp.histogramdd(x, bins=3)[0], f(9, 2)),
    *of(
        "interp",
        lambda x, p, v: jnp.interp(x, _ascending(p), v),
        f(4, low=0, high=3),
        f(5, fixed=True),
        f(5, fixed=True),
    ),
    *of(
        "interp",
        lambda x, p, v: jnp.interp(x, _ascending(p), v, left=-1.0, right=1.0),
        f(4, low=-1, high=5),
        f(5, fixed=True),
        f(5, fixed=True),
        variant="ends",
    ),
    *of(
        "interp",
        lambda x, p, v: jnp.interp(x, p, v, period=2.0),
        f(4),
        f(5, fixed=True),
        f(5, fixed=True),
        variant="period",
    ),
    *each(
        jnp,
        "unique unique_values unique_counts unique_inverse unique_all",
        i(6),
        variants=({"size": 6},),
    ),
    *of(
        "unique",
        lambda x: jnp.unique(x, True, True, True, size=6, fill_value=-1),
        i(6),
        variant="all",
    ),
    *of("unique", lambda x: jnp.unique(x, axis=0, size=4), i(4, 2, high=2), variant="axis"),
    *each(jnp, "union1d", i(6), i(4), variants=({"size": 8},)),
    *each(jnp, "intersect1d setxor1d", i(6), i(4), variants=({"size": 8},)),
    *of(
        "intersect1d",
        lambda x, y: jnp.intersect1d(x, y, return_indices=True, size=6),
        i(6),
        i(4),
        variant="indices",
    ),
    *each(jnp, "setdiff1d", i(6), i(2), variants=({"size": 6},)),
    *each(
        jnp, "isin", i(3, 4), i(2, fixed=True), variants=({}, {"invert": True}, {"method": "sort"})
    ),
    *each(jnp, "nonzero", _SPARSE, variants=({"size": 6}, {"size": 6, "fill_value": -1})),
    *each(jnp, "flatnonzero argwhere", _SPARSE, variants=({"size": 6},)),
    *each(jnp, "compress", b(4), f(4, 3), variants=({"size": 4, "axis": 0},)),
    *each(jnp, "extract", b(3, 4), f(3, 4), variants=({"size": 12},)),
    *of("apply_along_axis", lambda x: jnp.apply_along_axis(jnp.cumsum, 1, x), _X),
    *of("apply_over_axes", lambda x: jnp.apply_over_axes(jnp.sum, x, [1]), f(3, 4, 2)),
]
