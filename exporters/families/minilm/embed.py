"""Sentence vectors of texts, computed by an exported MiniLM artifact and the tokenizer beside it.

    python -m exporters.families.minilm.embed MODEL.onnx "He eats." "She dines."

This command prints how similar any two of the texts are in meaning. With ``--vectors`` it prints
the vector of each text as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt

from exporters.errors import ExportError
from exporters.families.minilm.tokens import Tokens
from exporters.parity.compare import open_session

_BATCH = 32


class Encoder:
    """An encoder of sentences. The dot product of two vectors is the similarity of their meanings.

    Args:
        model: the .onnx file.
        tokenizer: the tokenizer.json; by default, the one beside the weights.
        weights: the folder of the checkpoint; by default, the folder of the model.

    Raises:
        ExportError: a file is missing or cannot be read.
    """

    def __init__(
        self, model: Path, *, tokenizer: Path | None = None, weights: Path | None = None
    ) -> None:
        if not model.is_file():
            raise ExportError(f"{model} does not exist: give the .onnx that the export wrote.")
        self._tokens = Tokens(tokenizer or (weights or model.parent) / "tokenizer.json")
        self._session = open_session(model, "cpu", weights)

    def __call__(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return the vectors of texts, f32 (texts, hidden), each of length 1."""
        return np.concatenate(
            [
                self._session.run(["sentence_embedding"], self._tokens(texts[start:][:_BATCH]))[0]
                for start in range(0, len(texts), _BATCH)
            ]
        )


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("texts", nargs=-1, required=True)
@click.option(
    "--tokenizer",
    type=click.Path(path_type=Path),
    help="The tokenizer.json. [default: the one beside the weights]",
)
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    help="The folder of the checkpoint. [default: the folder of MODEL]",
)
@click.option(
    "--vectors", is_flag=True, help="Print the vector of each text instead, as a line of JSON."
)
def main(
    model: Path, texts: tuple[str, ...], tokenizer: Path | None, weights: Path | None, vectors: bool
) -> None:
    """Print how similar any two TEXTS are in meaning, according to the MiniLM artifact MODEL."""
    try:
        found = Encoder(model, tokenizer=tokenizer, weights=weights)(texts)
    except ExportError as error:
        raise click.ClickException(str(error)) from error
    if vectors:
        for text, vector in zip(texts, found, strict=True):
            line = {"text": text, "vector": [float(f"{value:.7g}") for value in vector]}
            click.echo(json.dumps(line, ensure_ascii=False))
        return
    for n, (text, row) in enumerate(zip(texts, found @ found.T, strict=True)):
        click.echo("".join(f"{value:6.2f}" for value in row[: n + 1]) + f"  {text}")


if __name__ == "__main__":
    main()
