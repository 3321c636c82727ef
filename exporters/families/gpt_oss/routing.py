"""Comparing how two implementations send tokens to experts.

Two implementations round differently, so two experts whose scores are closer than the rounding may
change places. Such a tie is no fault, but everything that depends on it differs from there on: the
token's own later layers, and through attention those of the tokens after it. They are left out.

A fault is anything else: scores that differ by more than the tolerance, experts that are not those
of the highest scores, or shares that differ. If neither implementation has a fault, then two
experts that changed places have scores within twice the tolerance of each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from exporters.errors import ExportError
from exporters.families.gpt_oss import parity
from exporters.families.gpt_oss.export import export
from exporters.model.exportable import Judgement, ParityCase
from exporters.parity.references import stored_cases
from jax2onnx.checks.comparison import Tolerance
from weights import Checkpoint

Array = npt.NDArray[Any]
_LISTED = 5
"""The largest number of faults of one kind in a layer that are listed."""


@dataclass(frozen=True)
class Routing:
    """How one layer sends tokens to experts. B is the batch, T the length, E the experts.

    Attributes:
        scores: the router's scores, f32 (B, T, E).
        experts: the chosen experts, integers (B, T, K), in any order.
        shares: their shares, f32 (B, T, K).
    """

    scores: Array
    experts: Array
    shares: Array

    @property
    def chosen(self) -> Array:
        """Whether each expert was chosen, bool (B, T, E)."""
        chosen = np.zeros(self.scores.shape, bool)
        np.put_along_axis(chosen, self.experts.astype(np.int64), True, axis=-1)
        return chosen

    @property
    def share_of_each(self) -> Array:
        """The share of each expert, f32 (B, T, E), 0 for those not chosen."""
        shares = np.zeros(self.scores.shape, np.float32)
        np.put_along_axis(shares, self.experts.astype(np.int64), self.shares, axis=-1)
        return shares

    @property
    def gap(self) -> Array:
        """The least chosen score minus the highest other one, f32 (B, T)."""
        least = np.where(self.chosen, self.scores, np.inf).min(axis=-1)
        other = np.where(self.chosen, -np.inf, self.scores).max(axis=-1)
        return np.asarray(least - other)


def against_torch(
    checkpoint: Checkpoint, data: Path | None, **options: Any
) -> Iterator[ParityCase]:
    """Yield the stored routing that torch computed.

    Args:
        checkpoint: the weights.
        data: the cases, as ``weights/fixtures/make_gpt_oss_routing.py`` writes them.
        options: the options of ``export``, with ``routing`` and without ``cache``.
    """
    names = _names(checkpoint, options)
    for case in stored_cases(data, ("input_ids",), names):
        ids = case.inputs["input_ids"]
        inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        yield replace(case, inputs=inputs, judge=judge)


def against_jax(
    checkpoint: Checkpoint, data: Path | None = None, **options: Any
) -> Iterator[ParityCase]:
    """Yield the routing that the JAX models compute, in Equinox and in Flax NNX.

    Args:
        checkpoint: the weights.
        data: stored cases, whose token ids are used; without them, token ids are made up.
        options: the options of ``export``, with ``routing`` and without ``cache``.
    """
    names = _names(checkpoint, options)
    for stack in ("equinox", "nnx"):
        for case in parity.against_jax(checkpoint, data, **{**options, "stack": stack}):
            if (case.inputs["attention_mask"] == 0).any():
                continue  # The routing of padding means nothing.
            outputs = {name: case.outputs[name] for name in names}
            yield replace(case, name=f"{case.name}, {stack}", outputs=outputs, judge=judge)


def judge(
    expected: Mapping[str, Array], actual: Mapping[str, Array], tolerance: Tolerance
) -> Judgement:
    """Compare the outputs ``router.N.scores``, ``.experts`` and ``.shares`` of all layers.

    Args:
        expected: the outputs of the reference.
        actual: the outputs of the artifact.
        tolerance: how far scores and shares may differ.

    Returns:
        A finding for each fault, and a line for each layer.
    """
    findings: list[str] = []
    lines: list[str] = []
    before: Array | None = None
    for layer in range(len(expected) // 3):
        reference, artifact = _layer(expected, layer), _layer(actual, layer)
        wrong = [
            f"layer {layer}: {part} has the shape {there.shape} instead of {here.shape}"
            for part in ("scores", "experts", "shares")
            if (here := getattr(reference, part)).shape != (there := getattr(artifact, part)).shape
        ]
        if wrong:
            return Judgement((*findings, *wrong), tuple(lines))
        counted = np.ones(reference.gap.shape, bool) if before is None else before
        faults, ties = _compared(reference, artifact, counted, tolerance)
        findings += [f"layer {layer}: {fault}" for fault in faults]
        lines += _lines(layer, reference, artifact, counted, ties)
        # A tie changes the later layers of its token and of all tokens after it.
        before = counted & ~np.maximum.accumulate(ties, axis=1)
    return Judgement(tuple(findings), tuple(lines))


def _compared(
    expected: Routing, actual: Routing, counted: Array, tolerance: Tolerance
) -> tuple[list[str], Array]:
    """Return the faults of a layer, and which tokens, bool (B, T), are ties."""
    moved = (expected.chosen != actual.chosen).any(axis=-1)
    kinds: dict[str, Array] = {
        "the scores of {} differ": ~_close(expected.scores, actual.scores, tolerance),
        "the reference sends {} to experts without the highest scores": expected.gap < 0,
        "the artifact sends {} to experts without the highest scores": actual.gap < 0,
        "the shares of {} differ": ~moved
        & ~_close(expected.share_of_each, actual.share_of_each, tolerance),
    }
    faults = []
    faulty = np.zeros_like(counted)
    for text, where in kinds.items():
        tokens = np.argwhere(where & counted)
        faulty |= where
        if len(tokens):
            listed = ", ".join(f"token {t} of sequence {b}" for b, t in tokens[:_LISTED])
            more = f" and {len(tokens) - _LISTED} more" if len(tokens) > _LISTED else ""
            faults.append(text.format(listed + more))
    return faults, moved & counted & ~faulty


def _close(expected: Array, actual: Array, tolerance: Tolerance) -> Array:
    """Return which tokens, bool (B, T), have all of their values within the tolerance."""
    limit = tolerance.atol + tolerance.rtol * np.abs(expected)
    # A comparison with NaN is false, so a NaN is not close.
    return np.asarray((np.abs(expected - actual) <= limit).all(axis=-1))


def _lines(
    layer: int, expected: Routing, actual: Routing, counted: Array, ties: Array
) -> Iterator[str]:
    """Yield the line of a layer in the report, and one for each tie."""

    def largest(difference: Array) -> float:
        return float(np.abs(difference)[counted].max(initial=0))

    same = counted & ~(expected.chosen != actual.chosen).any(axis=-1)
    left_out = int((~counted).sum())
    gap = float(expected.gap[counted].min(initial=np.inf))
    yield (
        f"layer {layer}: {int(same.sum())} of {int(counted.sum())} tokens have the same experts, "
        f"{int(ties.sum())} ties; scores within {largest(expected.scores - actual.scores):.2g}, "
        f"shares within {_largest_share(expected, actual, same):.2g}, smallest gap {gap:.2g}"
        + (f"; {left_out} left out after a tie" if left_out else "")
    )
    for batch, token in np.argwhere(ties):
        here, there = expected.chosen[batch, token], actual.chosen[batch, token]
        for out, in_ in zip(
            np.flatnonzero(here & ~there), np.flatnonzero(there & ~here), strict=True
        ):
            scores = expected.scores[batch, token]
            yield (
                f"  tie: token {token} of sequence {batch}: expert {out} scores {scores[out]:.8g} "
                f"and expert {in_} {scores[in_]:.8g}"
            )


def _largest_share(expected: Routing, actual: Routing, same: Array) -> float:
    difference = np.abs(expected.share_of_each - actual.share_of_each)
    return float(difference[same].max(initial=0))


def _layer(outputs: Mapping[str, Array], number: int) -> Routing:
    return Routing(
        *(outputs[f"router.{number}.{part}"] for part in ("scores", "experts", "shares"))
    )


def _names(checkpoint: Checkpoint, options: Mapping[str, Any]) -> list[str]:
    """Return the names of the outputs that hold the routing.

    Raises:
        ExportError: the artifact does not have them, or it has a cache.
    """
    if not options.get("routing") or options.get("cache"):
        raise ExportError(
            "this reference compares routing over whole sequences: export the model with "
            "options={'routing': True}, and without a cache."
        )
    exported = export(checkpoint, **options)
    return [name for name in exported.output_names if name.startswith("router.")]
