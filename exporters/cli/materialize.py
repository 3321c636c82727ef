"""The command ``materialize``."""

from __future__ import annotations

from pathlib import Path

import click

from exporters.cli.locate import locate
from exporters.cli.options import FILE, FOLDER, takes_weights
from exporters.errors import ExportError
from weights.progress import Progress
from weights.store.materialise import materialise


@click.command()
@click.argument("artifact", type=FILE)
@takes_weights
@click.argument("folder", type=FOLDER)
@click.option("--copy", is_flag=True, help="Copy the weights instead of making hard links.")
def materialize(
    artifact: Path, weights: str, pins: Path | None, store: Path, folder: Path, copy: bool
) -> None:
    """Make a complete FOLDER: ARTIFACT, its manifest, and the files of its WEIGHTS."""
    if not artifact.is_file():
        raise ExportError(f"{artifact} does not exist. Export the model first.")
    located = locate(weights, store, pins)
    # This takes seconds to import, so it waits until the arguments are known to be right.
    from exporters.artifact.inspection import check_weights

    check_weights(artifact, located.pins)
    also = [artifact, artifact.with_suffix(".manifest.json")]
    content = {file.name: file.read_bytes() for file in also if file.is_file()}
    with Progress(f"making {folder}", located.pins.size) as progress:
        materialise(
            located.pins,
            located.folder,
            folder,
            also=content,
            link=not copy,
            progress=progress.advance,
        )
    click.echo(
        f"{folder / artifact.name}  with {len(located.pins.files)} files of weights beside it"
    )
