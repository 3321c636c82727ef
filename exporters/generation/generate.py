"""Generating tokens with a decoder."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from exporters.errors import ExportError
from exporters.generation.decoder import Decoder
from exporters.generation.sampling import Sampler


def generate(
    decoder: Decoder,
    prompt: Sequence[int],
    sampler: Sampler,
    *,
    limit: int,
    end: Collection[int] = (),
) -> Iterator[int]:
    """Yield the tokens that follow a prompt, each as soon as it is chosen.

    Args:
        decoder: the model, which continues the sequence in its cache.
        prompt: token ids.
        sampler: chooses the tokens.
        limit: the largest number of tokens.
        end: tokens that end the text. They are not yielded.

    Raises:
        ExportError: the prompt is empty.
    """
    if not prompt:
        raise ExportError("the prompt has no tokens: give some text.")
    logits = decoder(prompt)
    for number in range(limit):
        token = sampler(logits)
        if token in end:
            return
        yield token
        if number + 1 < limit:
            logits = decoder([token])
