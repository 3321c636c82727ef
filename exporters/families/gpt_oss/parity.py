"""The references that an artifact of GPT-OSS is compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import equinox as eqx
import jax.numpy as jnp
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

_OPEN = {"short": (3, 5), "long": (1, 150)}
"""Batch and tokens of each case, if the export leaves them open. 150 tokens are more than the
published window of 128."""


def against_jax(
    checkpoint: Checkpoint, data: Path | None = None, **options: Any
) -> Iterator[ParityCase]:
    """Yield cases that the JAX model computes. With a cache, each sequence is run in two steps.

    Args:
        checkpoint: the weights.
        data: stored cases, whose token ids are used; without them, token ids are made up.
        options: the options of ``export``.
    """
    exported = export(checkpoint, **options)
    run = _runner(exported, checkpoint)
    if data is None:
        cases = _made_up_ids(exported, read_config(checkpoint).vocabulary)
    else:
        cases = {c.name: c.inputs["input_ids"] for c in _stored_cases(data, exported)}
    for name, ids in cases.items():
        for step, inputs, _ in _steps(exported, run, ids):
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
        for step, inputs, taken in _steps(exported, run, case.inputs["input_ids"]):
            yield ParityCase(case.name + step, inputs, {"logits": case.outputs["logits"][:, taken]})


def _runner(exported: Exportable, checkpoint: Checkpoint) -> Run:
    """Return the JAX model as a function from named inputs to named outputs."""
    model = eqx.filter_jit(load(exported.model, exported.parameters, checkpoint))

    def run(inputs: Arrays) -> Arrays:
        ids, *past = (inputs[name] for name in exported.input_names)
        outputs = model(jnp.asarray(ids, jnp.int32), *past)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        named = zip(exported.output_names, outputs, strict=True)
        return {name: np.asarray(output) for name, output in named}

    return run


def _steps(
    exported: Exportable, run: Run, ids: npt.NDArray[Any]
) -> Iterator[tuple[str, Arrays, slice]]:
    """Yield the name, the inputs and the part of the sequence of each call that takes the ids."""
    names = exported.input_names[1:]
    if not names:
        yield "", {"input_ids": ids}, slice(None)
        return
    extent = exported.inputs[0].shape[1]
    split = ids.shape[1] // 2 if isinstance(extent, str) else ids.shape[1] - extent
    _, kv_heads, _, head_dim = exported.inputs[1].shape
    empty = (ids.shape[0], int(kv_heads), 0, int(head_dim))
    nothing = np.zeros(empty, exported.inputs[1].dtype)
    inputs: Arrays = {"input_ids": ids[:, :split], **dict.fromkeys(names, nothing)}
    if isinstance(extent, str) or extent == split:
        yield ", beginning", inputs, slice(split)
    present = list(run(inputs).values())[1:]
    inputs = {"input_ids": ids[:, split:], **dict(zip(names, present, strict=True))}
    yield ", continued", inputs, slice(split, None)


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


def _fits(shape: Sequence[int], exported: Exportable) -> bool:
    cached = len(exported.inputs) > 1
    (batch, tokens), (wanted_batch, wanted_tokens) = shape, exported.inputs[0].shape
    return (isinstance(wanted_batch, str) or batch == wanted_batch) and (
        isinstance(wanted_tokens, str)
        or (tokens > wanted_tokens if cached else tokens == wanted_tokens)
    )


def _made_up_ids(exported: Exportable, vocabulary: int) -> Mapping[str, npt.NDArray[np.int64]]:
    """Return ids from all over the vocabulary, which are the same on every machine."""
    cached = len(exported.inputs) > 1
    cases = {}
    wanted_batch, wanted_tokens = exported.inputs[0].shape
    for case, (open_batch, open_tokens) in _OPEN.items():
        batch, tokens = open_batch, open_tokens
        if isinstance(wanted_batch, int):
            batch = wanted_batch
        if isinstance(wanted_tokens, int):
            tokens = wanted_tokens + (open_tokens if cached else 0)
        steps = np.arange(batch * tokens, dtype=np.int64) * 7919 + 13
        cases[case] = steps.reshape(batch, tokens) % vocabulary
    return cases
