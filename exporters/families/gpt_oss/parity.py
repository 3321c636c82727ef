"""The references that an artifact of GPT-OSS is compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import equinox as eqx
import numpy as np
import numpy.typing as npt

from exporters.artifact.bind import load
from exporters.errors import ExportError
from exporters.families.gpt_oss.checkpoint import read_config
from exporters.families.gpt_oss.export import export
from exporters.model.exportable import Exportable, ParityCase
from exporters.parity.references import stored_cases
from weights import Checkpoint

Arrays = Mapping[str, npt.NDArray[Any]]
Run = Callable[[Arrays], Arrays]

_OPEN = {"short": (3, 5), "long": (1, 150), "padded": (4, 9)}
"""Batch and tokens of each case, if the export leaves them open. 150 tokens are more than the
published window of 128."""


@dataclass(frozen=True)
class _Batch:
    """Token ids and the mask of those that are not padding, both int64 (batch, tokens)."""

    ids: npt.NDArray[Any]
    mask: npt.NDArray[Any]


def against_jax(
    checkpoint: Checkpoint, data: Path | None = None, **options: Any
) -> Iterator[ParityCase]:
    """Yield cases that the JAX model computes. With a cache, each sequence is run in two steps.

    Args:
        checkpoint: the weights.
        data: stored cases, whose token ids are used; without them, token ids are made up, and one
            case has padding.
        options: the options of ``export``.
    """
    exported = export(checkpoint, **options)
    run = _runner(exported, checkpoint)
    if data is None:
        cases = _made_up(exported, read_config(checkpoint).vocabulary)
    else:
        cases = {c.name: _unpadded(c) for c in _stored_cases(data, exported)}
    for name, batch in cases.items():
        for step, inputs, _ in _steps(exported, run, batch):
            yield ParityCase(name + step, inputs, run(inputs))


def against_torch(
    checkpoint: Checkpoint, data: Path | None, **options: Any
) -> Iterator[ParityCase]:
    """Yield cases that torch computed and ``weights/fixtures/make_gpt_oss.py`` stored.

    With a cache, each sequence is run in two steps, and JAX computes the content of the cache.

    Args:
        checkpoint: the weights.
        data: the stored cases.
        options: the options of ``export``.
    """
    exported = export(checkpoint, **options)
    run = _runner(exported, checkpoint)
    for case in _stored_cases(data, exported):
        for step, inputs, taken in _steps(exported, run, _unpadded(case)):
            logits = case.outputs["logits"][:, taken]
            if options.get("logits") == "last":
                logits = logits[:, -1:]
            yield ParityCase(case.name + step, inputs, {"logits": logits})


def _runner(exported: Exportable, checkpoint: Checkpoint) -> Run:
    """Return the JAX model as a function from named inputs to named outputs."""
    model = eqx.filter_jit(load(exported.model, exported.parameters, checkpoint))

    def run(inputs: Arrays) -> Arrays:
        outputs = model(*(_narrowed(inputs[name]) for name in exported.input_names))
        named = zip(exported.output_names, outputs, strict=True)
        return {name: np.asarray(output) for name, output in named}

    return run


def _narrowed(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return array.astype(np.int32) if array.dtype == np.int64 else array


def _steps(exported: Exportable, run: Run, batch: _Batch) -> Iterator[tuple[str, Arrays, slice]]:
    """Yield the name, the inputs and the part of the sequence of each call that takes the ids."""
    past = [name for name in exported.input_names if name.startswith("past_key_values.")]
    if not past:
        yield "", _call(exported, batch, slice(None)), slice(None)
        return
    length, extent = batch.ids.shape[1], exported.inputs[0].shape[1]
    split = length // 2 if isinstance(extent, str) else length - extent
    spec = exported.inputs[list(exported.input_names).index(past[0])]
    _, kv_heads, _, head_dim = spec.shape
    nothing = np.zeros((len(batch.ids), int(kv_heads), 0, int(head_dim)), spec.dtype)
    first, second = slice(split), slice(split, None)
    inputs = {**_call(exported, batch, first), **dict.fromkeys(past, nothing)}
    if isinstance(extent, str) or extent == split:
        yield ", beginning", inputs, first
    present = list(run(inputs).values())[1 : 1 + len(past)]
    inputs = {**_call(exported, batch, second), **dict(zip(past, present, strict=True))}
    yield ", continued", inputs, second


def _call(exported: Exportable, batch: _Batch, part: slice) -> dict[str, npt.NDArray[Any]]:
    """Return the inputs, but for the cache, of the call that takes a part of the tokens."""
    positions = np.maximum(np.cumsum(batch.mask, axis=1) - 1, 0)
    inputs = {
        "input_ids": batch.ids[:, part],
        "attention_mask": batch.mask[:, : part.stop],
        "position_ids": positions[:, part],
    }
    return {name: array for name, array in inputs.items() if name in exported.input_names}


def _stored_cases(data: Path | None, exported: Exportable) -> list[ParityCase]:
    """Return the stored cases whose token ids fit the shape of the exported input."""
    cases = list(stored_cases(data, ("input_ids",), ("logits",)))
    fitting = [case for case in cases if _fits(case.inputs["input_ids"].shape, exported)]
    if not fitting:
        found = " and ".join(str(case.inputs["input_ids"].shape) for case in cases)
        raise ExportError(
            f"{data} holds token ids of shape {found}, and the model takes "
            f"{exported.inputs[0].shape}: set the target's batch and sequence to stored ones, or "
            "leave them open."
        )
    return fitting


def _unpadded(case: ParityCase) -> _Batch:
    ids = case.inputs["input_ids"]
    return _Batch(ids, np.ones_like(ids))


def _fits(shape: Sequence[int], exported: Exportable) -> bool:
    (batch, tokens), (wanted_batch, wanted_tokens) = shape, exported.inputs[0].shape
    return (isinstance(wanted_batch, str) or batch == wanted_batch) and (
        isinstance(wanted_tokens, str)
        or (tokens > wanted_tokens if _is_cached(exported) else tokens == wanted_tokens)
    )


def _is_cached(exported: Exportable) -> bool:
    return "past_key_values.0.key" in exported.input_names


def _made_up(exported: Exportable, vocabulary: int) -> Mapping[str, _Batch]:
    """Return ids from all over the vocabulary, which are the same on every machine.

    In the case ``padded``, rows have 0, 1, 2... positions of padding, on the right and on the left
    in turn.
    """
    cases = {}
    wanted_batch, wanted_tokens = exported.inputs[0].shape
    for case, (open_batch, open_tokens) in _OPEN.items():
        batch, tokens = open_batch, open_tokens
        if isinstance(wanted_batch, int):
            batch = wanted_batch
        if isinstance(wanted_tokens, int):
            tokens = wanted_tokens + (open_tokens if _is_cached(exported) else 0)
        steps = np.arange(batch * tokens, dtype=np.int64) * 7919 + 13
        mask = np.ones((batch, tokens), np.int64)
        for row in range(batch if case == "padded" else 0):
            padding = min(row, tokens - 1)
            mask[row, slice(padding) if row % 2 == 0 else slice(tokens - padding, None)] = 0
        cases[case] = _Batch(steps.reshape(batch, tokens) % vocabulary, mask)
    return cases
