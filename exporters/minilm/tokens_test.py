from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from exporters.errors import ExportError
from exporters.minilm.tokens import MAX_TOKENS, Tokens


def save_tokenizer(file: Path) -> None:
    """One that knows a few words, and pads and cuts in its own way, as the published one does."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "man", "eats"]
    tokenizer = Tokenizer(WordLevel({word: n for n, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.enable_padding(length=128)
    tokenizer.enable_truncation(128)
    tokenizer.save(str(file))


def test_pads_to_the_longest_text(tmp_path: Path) -> None:
    save_tokenizer(tmp_path / "tokenizer.json")
    inputs = Tokens(tmp_path / "tokenizer.json")(["a man eats", "eats Brot", ""])
    assert inputs["input_ids"].tolist() == [[2, 4, 5, 6, 3], [2, 6, 1, 3, 0], [2, 3, 0, 0, 0]]
    assert inputs["attention_mask"].tolist() == [[1, 1, 1, 1, 1], [1, 1, 1, 1, 0], [1, 1, 0, 0, 0]]
    assert not inputs["token_type_ids"].any()
    assert {array.dtype.name for array in inputs.values()} == {"int64"}


def test_cuts_long_texts(tmp_path: Path) -> None:
    save_tokenizer(tmp_path / "tokenizer.json")
    ids = Tokens(tmp_path / "tokenizer.json")(["man " * 1000])["input_ids"]
    assert ids.shape == (1, MAX_TOKENS)
    assert ids[0, -1] == 3


@pytest.mark.parametrize("content", [None, b"", b"{}", b"\x80\x04 a pickle"])
def test_refuses_what_is_no_tokenizer(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "tokenizer.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ExportError, match=r"tokenizer.json cannot be read as a tokenizer \("):
        Tokens(file)
