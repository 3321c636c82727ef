"""What the artifact of the MiniLM encoder is held against."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import equinox as eqx
import numpy as np

from exporters.artifact.bind import load
from exporters.families.minilm.export import export
from exporters.families.minilm.tokens import Tokens
from exporters.model.exportable import ParityCase
from exporters.parity.references import read_arrays, stored_cases
from jax2onnx.models import parameters
from weights import Checkpoint


def against_jax(
    checkpoint: Checkpoint, data: Path | None = None, **options: Any
) -> Iterator[ParityCase]:
    """The Equinox model itself on random tokens, with and without padding."""
    exported = export(checkpoint, **options)
    model = load(exported.model, exported.parameters, checkpoint)
    words = parameters(model)["embeddings.words"].shape[0]
    random = np.random.default_rng(0)
    shapes = [_concrete(exported.inputs[0].shape, sizes) for sizes in ((1, 5), (3, 16))]
    for batch, tokens in dict.fromkeys(shapes):
        lengths = np.linspace(tokens, 1, batch).astype(np.int64)
        mask = (np.arange(tokens) < lengths[:, None]).astype(np.int64)
        ids = random.integers(words, size=mask.shape) * mask
        inputs = (ids, mask, np.zeros_like(ids))
        outputs = eqx.filter_jit(model)(*inputs)
        yield ParityCase(
            f"{batch} x {tokens} tokens",
            dict(zip(exported.input_names, inputs, strict=True)),
            dict(zip(exported.output_names, map(np.asarray, outputs), strict=True)),
        )


def against_torch(
    checkpoint: Checkpoint, data: Path | None, **options: Any
) -> Iterator[ParityCase]:
    """What transformers computes, stored by `make_minilm.py`.

    A case that holds its texts is run twice: on the stored tokens, and all the way from text to
    vector with the checkpoint's own tokenizer.
    """
    exported = export(checkpoint, **options)
    arrays = read_arrays(data)
    for case in stored_cases(data, exported.input_names, exported.output_names):
        yield case
        if f"{case.name}/texts" in arrays:
            tokens = Tokens(checkpoint.folder / "tokenizer.json")
            inputs = tokens(arrays[f"{case.name}/texts"].tolist())
            yield ParityCase(f"{case.name} as text", inputs, case.outputs)


def _concrete(shape: Sequence[int | str], sizes: tuple[int, int]) -> tuple[int, int]:
    """`sizes`, but where the export fixed one."""
    batch, tokens = (
        extent if isinstance(extent, int) else size
        for extent, size in zip(shape, sizes, strict=True)
    )
    return batch, tokens
