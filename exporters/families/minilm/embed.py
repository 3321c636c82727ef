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

from exporters.artifact.inspection import load
from exporters.errors import ExportError
from exporters.families.minilm.tokens import MAX_TOKENS, TOKENIZER, Tokens
from exporters.parity.compare import open_session

_BATCH = 32


class Encoder:
    """An encoder of sentences. The dot product of two vectors is the similarity of their meanings.

    Args:
        model: the .onnx file.
        tokenizer: the tokenizer.json; by default, the one beside the weights.
        weights: the folder of the checkpoint; by default, the folder of the model.
        limit: the number of tokens that longer texts are truncated to.

    Raises:
        ExportError: a file is missing or cannot be read, or the model has fewer positions than
            ``limit``.
    """

    def __init__(
        self,
        model: Path,
        *,
        tokenizer: Path | None = None,
        weights: Path | None = None,
        limit: int = MAX_TOKENS,
    ) -> None:
        if not model.is_file():
            raise ExportError(f"{model} does not exist: give the .onnx that the export wrote.")
        self._tokens = Tokens(tokenizer or _tokenizer_of(model, weights), limit)
        self._session = open_session(model, "cpu", weights)
        self._positions = _positions_of(model)

    def __call__(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return the vectors of texts, f32 (texts, hidden), each of length 1."""
        return np.concatenate(
            [
                self.embed(self._tokens(texts[start:][:_BATCH]))
                for start in range(0, len(texts), _BATCH)
            ]
        )

    def embed(self, inputs: dict[str, npt.NDArray[np.int64]]) -> npt.NDArray[np.float32]:
        """Return the vectors of tokens, f32 (texts, hidden).

        Args:
            inputs: the model's inputs by name, each int64 (texts, tokens).

        Raises:
            ExportError: there are more tokens than the model has positions. ONNX Runtime would
                compute a vector all the same, and a wrong one.
        """
        count = inputs["input_ids"].shape[1]
        if count > self._positions:
            raise ExportError(
                f"a text has {count} tokens, and the model has {self._positions} positions. Give "
                f"a limit of {self._positions} or less, to which longer texts are truncated."
            )
        vectors: npt.NDArray[np.float32]
        (vectors,) = self._session.run(["sentence_embedding"], inputs)
        return vectors


def _positions_of(model: Path) -> int:
    """Return the number of positions of an artifact: the rows of its table of positions.

    Raises:
        ExportError: it has no such table.
    """
    table = load(model).graph.initializers.get("embeddings.positions")
    if table is None or table.shape is None:
        raise ExportError(f"{model} is not an artifact of this family: give one of MiniLM.")
    return int(table.shape.numpy()[0])


def _tokenizer_of(model: Path, weights: Path | None) -> Path:
    """Return the tokenizer.json of the weights, of the model's folder, or of the one above it."""
    folders = [weights] if weights else [model.parent, model.parent.parent]
    found = (folder / TOKENIZER for folder in folders)
    return next((file for file in found if file.is_file()), folders[0] / TOKENIZER)


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
