"""Turning text into the inputs of the encoder, with the tokenizer.json of the weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from exporters.errors import ExportError

MAX_TOKENS = 256
"""The longest text that all-MiniLM-L6-v2 was trained on. Longer texts are truncated to it."""


class Tokens:
    """A tokenizer.

    Args:
        file: the tokenizer.json.

    Raises:
        ExportError: the file is missing or is not a tokenizer.
    """

    def __init__(self, file: Path) -> None:
        try:
            self._tokenizer = Tokenizer.from_buffer(file.read_bytes())
        except (OSError, ValueError) as error:
            raise ExportError(
                f"{file} cannot be read as a tokenizer ({error}): give the tokenizer.json that "
                "came with the weights."
            ) from error
        self._tokenizer.enable_padding()  # to the longest of the texts
        self._tokenizer.enable_truncation(MAX_TOKENS)

    def __call__(self, texts: Sequence[str]) -> dict[str, npt.NDArray[np.int64]]:
        """Return the encoder's inputs by name, each int64 (texts, tokens of the longest text)."""
        encodings = self._tokenizer.encode_batch(list(texts))
        return {
            "input_ids": np.array([each.ids for each in encodings], np.int64),
            "attention_mask": np.array([each.attention_mask for each in encodings], np.int64),
            "token_type_ids": np.array([each.type_ids for each in encodings], np.int64),
        }
