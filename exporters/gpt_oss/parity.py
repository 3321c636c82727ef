"""What the artifact must compute: the JAX model's own logits, or those that torch computed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from exporters.binding import load
from exporters.errors import ExportError
from exporters.exportable import ParityCase
from exporters.gpt_oss.checkpoint import read_config
from exporters.gpt_oss.export import export
from exporters.reference import stored_cases
from weights import Checkpoint

_OPEN = {"short": (3, 5), "long": (1, 150)}
"""Batch and tokens of each case, where the export leaves them open; 150 exceeds the published
window of 128."""


def against_jax(
    checkpoint: Checkpoint, data: Path | None = None, **options: Any
) -> Iterator[ParityCase]:
    """The JAX model on the inputs stored in `data`, or on made-up ones if there is none."""
    exported = export(checkpoint, **options)
    model = eqx.filter_jit(load(exported.model, exported.parameters, checkpoint))
    shape = exported.inputs[0].shape
    if data is None:
        cases = _made_up_ids(shape, read_config(checkpoint).vocabulary)
    else:
        cases = {case.name: case.inputs["input_ids"] for case in _stored_cases(data, shape)}
    for name, ids in cases.items():
        logits = model(jnp.asarray(ids, jnp.int32))
        yield ParityCase(name, {"input_ids": ids}, {"logits": np.asarray(logits)})


def against_torch(
    checkpoint: Checkpoint, data: Path | None, **options: Any
) -> Iterator[ParityCase]:
    """The logits stored in `data`, which `weights/fixtures/make_gpt_oss.py` wrote."""
    yield from _stored_cases(data, export(checkpoint, **options).inputs[0].shape)


def _stored_cases(data: Path | None, shape: Sequence[int | str]) -> list[ParityCase]:
    """Those whose token ids are of a shape that the export takes."""
    cases = list(stored_cases(data, ("input_ids",), ("logits",)))
    fitting = [case for case in cases if _fits(case.inputs["input_ids"].shape, shape)]
    if not fitting:
        found = " and ".join(str(case.inputs["input_ids"].shape) for case in cases)
        raise ExportError(
            f"{data} holds token ids of shape {found}, and the model takes {tuple(shape)}: set the "
            "target's batch and sequence to stored ones, or leave them open."
        )
    return fitting


def _fits(shape: Sequence[int], spec: Sequence[int | str]) -> bool:
    return all(
        isinstance(want, str) or have == want for have, want in zip(shape, spec, strict=True)
    )


def _made_up_ids(
    shape: Sequence[int | str], vocabulary: int
) -> Mapping[str, npt.NDArray[np.int64]]:
    """Ids that jump about in the vocabulary, the same everywhere."""
    cases = {}
    for case, extents in _OPEN.items():
        batch, tokens = (
            want if isinstance(want, int) else extent
            for want, extent in zip(shape, extents, strict=True)
        )
        steps = np.arange(batch * tokens, dtype=np.int64) * 7919 + 13
        cases[case] = steps.reshape(batch, tokens) % vocabulary
    return cases
