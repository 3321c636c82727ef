from __future__ import annotations

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from exporters.errors import ExportError
from exporters.generation.text import Text

TEMPLATE = """\
{%- if messages[0].role == "tool" %}{{ raise_exception("no tools here") }}{% endif %}
{%- for message in messages %}
    {%- if message.content == "" %}
        {%- continue %}
    {%- endif %}
{{ bos_token }}{{ message.role }}: {{ message.content | tojson }}{{ eos_token }}
{% endfor %}
{%- if add_generation_prompt %}assistant: {% endif %}"""


def write_tokenizer(folder: Path) -> None:
    """Write the tokenizer of single bytes, one token each, and of one special token."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({c: i for i, c in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|end|>"])
    tokenizer.save(str(folder / "tokenizer.json"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_tokenizer(tmp_path)
    settings = {"bos_token": "^", "eos_token": {"content": "<|end|>"}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    return tmp_path


def decoded(text: Text, ids: list[int]) -> str:
    step = text.stream()
    return "".join(step(token) for token in ids)


def test_text_is_streamed_by_whole_characters(folder: Path) -> None:
    text = Text(folder)
    ids = text.encode("héllo ☃")
    assert len(ids) == 10  # é has two bytes, and the snowman three
    step = text.stream()
    assert [step(token) for token in ids] == ["h", "", "é", "l", "l", "o", " ", "", "", "☃"]


def test_the_chat_template_has_what_templates_are_written_for(folder: Path) -> None:
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    text = Text(folder)
    messages = [{"role": "system", "content": ""}, {"role": "user", "content": 'say "é"'}]
    ids = text.encode_chat(messages)
    assert text.has_chat_template
    assert decoded(text, ids) == '^user: "say \\"é\\""\nassistant: '  # special tokens are left out
    with pytest.raises(ExportError, match="no tools here"):
        text.encode_chat([{"role": "tool", "content": ""}])


def test_the_chat_template_may_stand_in_the_settings(folder: Path) -> None:
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{{ 1 + 1 }}"}))
    text = Text(folder)
    assert decoded(text, text.encode_chat([])) == "2"


@pytest.mark.parametrize(
    "template", ["{{ 1 / 0 }}", "{{ 1 + 'a' }}", "{% if", "{{ messages | x }}"]
)
def test_a_template_that_fails_is_named(folder: Path, template: str) -> None:
    (folder / "chat_template.jinja").write_text(template)
    with pytest.raises(ExportError, match=r"the chat template of .* fails: .*--plain"):
        Text(folder).encode_chat([])


def test_a_template_that_is_no_text_is_named(folder: Path) -> None:
    (folder / "chat_template.jinja").write_bytes(b"\xff\xfe")
    with pytest.raises(ExportError, match=r"chat_template\.jinja cannot be read as text"):
        Text(folder).encode_chat([])


def test_padding_and_truncation_of_the_file_do_not_apply(folder: Path) -> None:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_padding(length=16)
    tokenizer.enable_truncation(max_length=4)
    tokenizer.save(str(folder / "tokenizer.json"))
    assert len(Text(folder).encode("ten chars!")) == 10


def test_a_template_cannot_reach_python(folder: Path) -> None:
    (folder / "chat_template.jinja").write_text("{{ messages.__class__.__mro__ }}")
    with pytest.raises(ExportError, match=r"chat template of .* fails"):
        Text(folder).encode_chat([])


def test_without_a_chat_template_the_error_says_what_to_do(folder: Path) -> None:
    assert not Text(folder).has_chat_template
    with pytest.raises(ExportError, match=r"no chat template.*--plain"):
        Text(folder).encode_chat([])


def test_end_tokens_come_from_the_first_file_that_has_them(folder: Path) -> None:
    assert Text(folder).end_tokens() == {256}
    (folder / "config.json").write_text('{"eos_token_id": 7}')
    assert Text(folder).end_tokens() == {7}
    (folder / "generation_config.json").write_text('{"eos_token_id": [3, 5]}')
    assert Text(folder).end_tokens() == {3, 5}


@pytest.mark.parametrize("content", [None, "{}", "text"])
def test_a_missing_or_damaged_tokenizer_is_named(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(ExportError, match=r"tokenizer\.json cannot be read"):
        Text(tmp_path)
