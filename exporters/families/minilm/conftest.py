from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing


@pytest.fixture
def tokenizer(tmp_path: Path) -> Path:
    """Return a tokenizer.json of a few words, with its own padding and truncation."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "man", "eats"]
    tokenizer = Tokenizer(WordLevel({word: n for n, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.enable_padding(length=128)
    tokenizer.enable_truncation(128)
    file = tmp_path / "tokenizer.json"
    tokenizer.save(str(file))
    return file
