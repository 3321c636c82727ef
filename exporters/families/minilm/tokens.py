"""Text -> the inputs of the encoder, by the tokenizer.json that comes with the weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from exporters.errors import ExportError

MAX_TOKENS = 256
"""What all-MiniLM-L6-v2 was made for; of a longer text the rest is cut off, as its authors do."""


class Tokens:
    """Cuts texts into tokens.

    Raises:
        ExportError: the file is missing or is no tokenizer.
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
        """The encoder's inputs by name, each int64 (texts, tokens of the longest)."""
        encodings = self._tokenizer.encode_batch(list(texts))
        return {
            "input_ids": np.array([each.ids for each in encodings], np.int64),
            "attention_mask": np.array([each.attention_mask for each in encodings], np.int64),
            "token_type_ids": np.array([each.type_ids for each in encodings], np.int64),
        }
