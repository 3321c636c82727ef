"""The references that the artifact of MiniLM is compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import equinox as eqx
import numpy as np

from exporters.artifact.bind import load
from exporters.families.minilm.export import export
from exporters.families.minilm.tokens import TOKENIZER, Tokens
from exporters.model.exportable import Exportable, ParityCase
from exporters.parity.references import read_arrays, stored_cases
from jax2onnx.models import parameters
from weights import Checkpoint

_TEXTS = (
    "A man is eating food.",
    "Someone is having a meal, and reads the newspaper of yesterday while he does.",
    "Wie spät ist es?",
    "",
    "ONNX",
)
"""Texts of different lengths, so that all but one are padded, in more than one language."""


def against_jax(
    checkpoint: Checkpoint, data: Path | None = None, **options: Any
) -> Iterator[ParityCase]:
    """Yield cases that the Equinox model computes on random tokens, with and without padding.

    If the checkpoint has a tokenizer, there is also a case of texts.

    Args:
        checkpoint: the weights.
        data: not used.
        options: the options of ``export``.
    """
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
        yield _case(exported, model, f"{batch} x {tokens} tokens", inputs)
    if not options and (checkpoint.folder / TOKENIZER).is_file():
        tokens_of = Tokens(checkpoint.folder / TOKENIZER)
        yield _case(
            exported, model, f"{len(_TEXTS)} texts", list(tokens_of(_TEXTS).values()), _TEXTS
        )


def against_torch(
    checkpoint: Checkpoint, data: Path | None, **options: Any
) -> Iterator[ParityCase]:
    """Yield cases that transformers computed and ``make_minilm.py`` stored.

    If a case holds its texts, a second case goes all the way from text to vector, with the
    tokenizer of the checkpoint.

    Args:
        checkpoint: the weights and their tokenizer.json.
        data: the stored cases.
        options: the options of ``export``.
    """
    exported = export(checkpoint, **options)
    arrays = read_arrays(data)
    for case in stored_cases(data, exported.input_names, exported.output_names):
        yield case
        if f"{case.name}/texts" in arrays:
            texts = arrays[f"{case.name}/texts"].tolist()
            inputs = Tokens(checkpoint.folder / TOKENIZER)(texts)
            yield ParityCase(f"{case.name} as text", inputs, case.outputs, texts=texts)


def _case(
    exported: Exportable,
    model: Callable[..., Any],
    name: str,
    inputs: Sequence[np.ndarray],
    texts: Sequence[str] = (),
) -> ParityCase:
    outputs = eqx.filter_jit(model)(*inputs)
    return ParityCase(
        name,
        dict(zip(exported.input_names, inputs, strict=True)),
        dict(zip(exported.output_names, map(np.asarray, outputs), strict=True)),
        texts=texts,
    )


def _concrete(shape: Sequence[int | str], sizes: tuple[int, int]) -> tuple[int, int]:
    """Return the sizes that the export fixed, and else those of ``sizes``."""
    batch, tokens = (
        extent if isinstance(extent, int) else size
        for extent, size in zip(shape, sizes, strict=True)
    )
    return batch, tokens
