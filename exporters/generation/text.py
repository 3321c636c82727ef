"""Text and token ids: the tokenizer, the chat template and the end tokens of a model's folder."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import jinja2
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream

from exporters.errors import ExportError
from weights.files.strict_json import read_object

TOKENIZER = "tokenizer.json"
_SETTINGS, _TEMPLATE = "tokenizer_config.json", "chat_template.jinja"
_FIX = "Put the file that came with the weights there."
_OF_TEMPLATES = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""The errors of Python that the expressions of a template can raise."""


class Text:
    """The side files of a model that turn text into token ids and back.

    Args:
        folder: the folder with tokenizer.json, and, where the model has them,
            tokenizer_config.json, chat_template.jinja, generation_config.json and config.json.

    Raises:
        ExportError: tokenizer.json is missing, or a file cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tokenizer = _tokenizer(folder / TOKENIZER)
        self._settings = _object(folder / _SETTINGS)

    def encode(self, text: str) -> list[int]:
        """Return the token ids of plain text, with the special tokens that the tokenizer adds."""
        ids: list[int] = self._tokenizer.encode(text).ids
        return ids

    def encode_chat(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        """Return the token ids of a conversation, up to where the model answers.

        Args:
            messages: for each message its ``role`` (``user``, say) and its ``content``.

        Raises:
            ExportError: the model has no chat template, or it refuses the messages.
        """
        template = self._template()
        if template is None:
            raise ExportError(
                f"{self._folder} has no chat template ({_TEMPLATE}, or chat_template in "
                f"{_SETTINGS}): give the prompt as plain text (--plain)."
            )
        special = {key: _content(value) for key, value in self._settings.items() if "token" in key}
        try:
            text = (
                _environment()
                .from_string(template)
                .render(messages=list(messages), add_generation_prompt=True, **special)
            )
        except (jinja2.TemplateError, *_OF_TEMPLATES) as error:
            raise ExportError(
                f"the chat template of {self._folder} fails: {error}. Give the prompt as plain "
                "text (--plain)."
            ) from error
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    @property
    def has_chat_template(self) -> bool:
        """Whether the model was made for conversations."""
        return self._template() is not None

    def stream(self) -> Callable[[int], str]:
        """Return a function that takes one token id after the other, and returns the new text.

        The text is empty where a character consists of more tokens.
        """
        decoding = DecodeStream(skip_special_tokens=True)
        return lambda token: decoding.step(self._tokenizer, token) or ""

    def end_tokens(self) -> frozenset[int]:
        """Return the token ids that end a text."""
        for name in ("generation_config.json", "config.json"):
            found = _object(self._folder / name).get("eos_token_id")
            if isinstance(found, int):
                return frozenset((found,))
            if isinstance(found, list) and all(isinstance(each, int) for each in found):
                return frozenset(found)
        token = self._tokenizer.token_to_id(_content(self._settings.get("eos_token", "")))
        return frozenset(() if token is None else (token,))

    def _template(self) -> str | None:
        file = self._folder / _TEMPLATE
        if file.is_file():
            try:
                return file.read_text("utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise ExportError(f"{file} cannot be read as text ({error}). {_FIX}") from error
        template = self._settings.get("chat_template")
        return template if isinstance(template, str) else None


def _tokenizer(file: Path) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_buffer(file.read_bytes())
    except (OSError, ValueError) as error:
        raise ExportError(f"{file} cannot be read as a tokenizer ({error}). {_FIX}") from error
    tokenizer.no_padding()  # the file may ask for both, as those of encoders do
    tokenizer.no_truncation()
    return tokenizer


def _object(file: Path) -> Mapping[str, Any]:
    return read_object(file, _FIX) if file.is_file() else {}


def _content(token: Any) -> Any:
    """Return the text of a special token, which may be an object with more properties."""
    return token.get("content", "") if isinstance(token, Mapping) else token


def _environment() -> jinja2.Environment:
    """Return what chat templates are written for (``transformers.utils.chat_template_utils``)."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _refuse
    environment.globals["strftime_now"] = lambda form: (
        datetime.datetime.now().astimezone().strftime(form)
    )
    return environment


def _to_json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _refuse(message: str) -> NoReturn:
    raise jinja2.TemplateError(message)
