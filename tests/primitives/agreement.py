"""Compare results with JAX's, with the criterion of each group of its harness."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from jax2onnx.checks.allclose import packed
from tests.primitives.cases import Array, Case
from tests.primitives.closeness import same_types, within
from tests.primitives.factors import RESIDUALS, as_good_as_lapack
from tests.primitives.tolerances import TOLERANCES, WIDER, DisagreementError


def agree(
    case: Case, arguments: Sequence[Array], wanted: Sequence[Array], found: Sequence[Array]
) -> None:
    """Raise ``DisagreementError`` unless the results of the model are as good as JAX's."""
    expected = [packed(want) for want in wanted]
    same_types(expected, found)
    if case.group in RESIDUALS:
        as_good_as_lapack(case, arguments, wanted, _unpacked(found, wanted))
    elif case.group == "sort" and not case.params["is_stable"]:
        sorted_alike(case.params, arguments, wanted, _unpacked(found, wanted))
    elif case.group == "approx_top_k":
        values, places = found
        close("values", wanted[0], values)
        selected(arguments[0], values, places)
    else:
        for number, (want, got) in enumerate(zip(expected, found, strict=True)):
            close(f"output {number}", want, got, case.name)


def _unpacked(arrays: Sequence[Array], like: Sequence[Array]) -> list[Array]:
    pairs = zip(arrays, like, strict=True)
    return [x[..., 0] + 1j * x[..., 1] if want.dtype.kind == "c" else x for x, want in pairs]


def close(label: str, want: Array, got: Array, case: str = "") -> None:
    """Compare values within the tolerance of their type, or of the case; NaN equals NaN."""
    tolerance = TOLERANCES.get(want.dtype.name)
    if case in WIDER:
        tolerance, _ = WIDER[case]
    within(tolerance, label, want, got)


def sorted_alike(
    params: dict[str, Any],
    given: Sequence[Array],
    wanted: Sequence[Array],
    found: Sequence[Array],
) -> None:
    """Check an unstable sort of several operands, which may order equal keys in any way.

    The keys must be JAX's, and all operands must be permuted alike.
    """
    for number in range(params.get("num_keys", 1)):
        close(f"key {number}", packed(wanted[number]), packed(found[number]))
    before, after = (
        [np.moveaxis(bits, params["dimension"], -1) for array in arrays for bits in _bits(array)]
        for arrays in (given, found)
    )
    orders = [np.lexsort(bits, axis=-1) for bits in (before, after)]
    for number, pair in enumerate(zip(before, after, strict=True)):
        one, other = (np.take_along_axis(*x, -1) for x in zip(pair, orders, strict=True))
        if not np.array_equal(one, other):
            raise DisagreementError(f"operand {number} is not permuted like the others")


def selected(given: Array, values: Array, places: Array) -> None:
    """Check that ``places`` are distinct indices of ``values`` on the last axis of ``given``."""
    if not np.array_equal(np.take_along_axis(given, places, -1), values):
        raise DisagreementError("the elements at the indices are not the values")
    if np.any(np.diff(np.sort(places, -1), axis=-1) == 0):
        raise DisagreementError("an index occurs twice")


def _bits(array: Array) -> list[Array]:
    if array.dtype.kind == "c":
        return [*_bits(array.real), *_bits(array.imag)]
    return [np.ascontiguousarray(array).view(f"u{array.dtype.itemsize}")]
