"""Architectures that exporters are compared on, and what their artifacts are run with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Feed:
    """An input that latency is measured on: its shape and, for integers, their bound."""

    shape: tuple[int, ...]
    below: int | None = None

    @property
    def dtype(self) -> str:
        """Its type."""
        return "float32" if self.below is None else "int64"


@dataclass(frozen=True)
class Architecture:
    """A module of `models`, which a job of the same name in `jobs/torch_models.py` matches.

    Attributes:
        title: what it is, for people.
        feeds: what it is run with; the first axis is the batch, which artifacts leave open.
    """

    title: str
    feeds: tuple[Feed, ...]


_TOKENS = (1, 128)

ARCHITECTURES = {
    "resnet50": Architecture("ResNet-50, 224 x 224", (Feed((1, 224, 224, 3)),)),
    "gpt2": Architecture("GPT-2, 12 layers x 768, 128 tokens", (Feed(_TOKENS, 50257),)),
    "lstm": Architecture("LSTM, 128 to 256, 64 steps", (Feed((1, 64, 128)),)),
    "minilm": Architecture(
        "MiniLM, 6 layers x 384, 128 tokens",
        (Feed(_TOKENS, 30522), Feed(_TOKENS, 2), Feed(_TOKENS, 2)),
    ),
}
