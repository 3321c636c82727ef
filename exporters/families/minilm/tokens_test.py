from __future__ import annotations

from pathlib import Path

import pytest

from exporters.errors import ExportError
from exporters.families.minilm.tokens import MAX_TOKENS, Tokens


def test_pads_to_the_longest_text(tokenizer: Path) -> None:
    inputs = Tokens(tokenizer)(["a man eats", "eats Brot", ""])
    assert inputs["input_ids"].tolist() == [[2, 4, 5, 6, 3], [2, 6, 1, 3, 0], [2, 3, 0, 0, 0]]
    assert inputs["attention_mask"].tolist() == [[1, 1, 1, 1, 1], [1, 1, 1, 1, 0], [1, 1, 0, 0, 0]]
    assert not inputs["token_type_ids"].any()
    assert {array.dtype.name for array in inputs.values()} == {"int64"}


def test_truncates_long_texts(tokenizer: Path) -> None:
    ids = Tokens(tokenizer)(["man " * 1000])["input_ids"]
    assert ids.shape == (1, MAX_TOKENS)
    assert ids[0, -1] == 3


def test_more_tokens_than_positions_are_refused(tokenizer: Path) -> None:
    config = tokenizer.with_name("tokenizer_config.json")
    config.write_text('{"model_max_length": 8}')
    assert Tokens(tokenizer, 8)(["man " * 1000])["input_ids"].shape == (1, 8)
    with pytest.raises(ExportError, match=r"up to 9 tokens: .*gives the model 8 positions"):
        Tokens(tokenizer, 9)
    with pytest.raises(ExportError, match="up to 256 tokens"):
        Tokens(tokenizer)
    config.write_text('{"model_max_length": 1e30}')
    with pytest.raises(ExportError, match=r"model_max_length is 1e\+30, which is not a number"):
        Tokens(tokenizer)


@pytest.mark.parametrize("content", [None, b"", b"{}", b"\x80\x04 a pickle"])
def test_refuses_a_file_that_is_not_a_tokenizer(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "tokenizer.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ExportError, match=r"tokenizer.json cannot be read as a tokenizer \("):
        Tokens(file)
