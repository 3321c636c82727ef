"""Turning text into the inputs of the encoder, with the tokenizer of the weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from exporters.errors import ExportError
from weights.files.strict_json import read_object

TOKENIZER = "tokenizer.json"
CONFIG = "tokenizer_config.json"

MAX_TOKENS = 256
"""The longest text that all-MiniLM-L6-v2 was trained on. Longer texts are truncated to it."""


class Tokens:
    """A tokenizer.

    Args:
        file: the tokenizer.json. A tokenizer_config.json beside it states the number of positions
            of the model (``model_max_length``).
        limit: the number of tokens that longer texts are truncated to.

    Raises:
        ExportError: the file is missing or is not a tokenizer, or ``limit`` exceeds the number of
            positions: the model would look up positions that it does not have.
    """

    def __init__(self, file: Path, limit: int = MAX_TOKENS) -> None:
        try:
            self._tokenizer = Tokenizer.from_buffer(file.read_bytes())
        except (OSError, ValueError) as error:
            raise ExportError(
                f"{file} cannot be read as a tokenizer ({error}): give the tokenizer.json that "
                "came with the weights."
            ) from error
        positions = _positions(file.with_name(CONFIG))
        if not 1 <= limit <= positions:
            raise ExportError(
                f"texts cannot have up to {limit} tokens: {file.with_name(CONFIG)} gives the model "
                f"{positions} positions (model_max_length). Give a number from 1 to {positions}."
            )
        self._tokenizer.enable_padding()  # to the longest of the texts
        self._tokenizer.enable_truncation(limit)

    def __call__(self, texts: Sequence[str]) -> dict[str, npt.NDArray[np.int64]]:
        """Return the encoder's inputs by name, each int64 (texts, tokens of the longest text)."""
        encodings = self._tokenizer.encode_batch(list(texts))
        return {
            "input_ids": np.array([each.ids for each in encodings], np.int64),
            "attention_mask": np.array([each.attention_mask for each in encodings], np.int64),
            "token_type_ids": np.array([each.type_ids for each in encodings], np.int64),
        }


def _positions(file: Path) -> int:
    """Return the number of positions that a tokenizer_config.json states, or ``MAX_TOKENS``."""
    if not file.is_file():
        return MAX_TOKENS
    stated = read_object(file, "Fetch it again from the source of the weights.").get(
        "model_max_length", MAX_TOKENS
    )
    if type(stated) is not int or stated < 1:
        raise ExportError(
            f"{file}: model_max_length is {stated!r}, which is not a number of tokens. Fetch the "
            "file again from the source of the weights."
        )
    return stated
