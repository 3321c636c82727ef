"""The command ``materialize``."""

from __future__ import annotations

from pathlib import Path

import click

from exporters.cli.locate import locate
from exporters.cli.options import FILE, FOLDER, takes_weights
from exporters.errors import ExportError
from weights.files.pins import hash_folder
from weights.progress import Progress


@click.command()
@click.argument("artifact", type=FILE)
@takes_weights
@click.argument("folder", type=FOLDER)
@click.option("--copy", is_flag=True, help="Copy the weights instead of making hard links.")
def materialize(
    artifact: Path, weights: str, pins: Path | None, store: Path, folder: Path, copy: bool
) -> None:
    """Make a complete FOLDER: ARTIFACT, its manifest, and the files of its WEIGHTS.

    They lie where the layout of the artifact has them; its manifest names the layout.
    """
    if not artifact.is_file():
        raise ExportError(f"{artifact} does not exist. Export the model first.")
    # These take seconds to import, so they wait until the arguments are known to be right.
    from exporters.artifact.agreement import manifest_beside
    from exporters.artifact.folder import layout_of, make_folder
    from exporters.artifact.inspection import load
    from exporters.artifact.stamp import check_stamps

    model = load(artifact)
    also = [artifact, artifact.with_suffix(".manifest.json")]
    names = [file.name for file in also if file.is_file()]
    _, checked = hash_folder(artifact.parent, names)
    layout = layout_of(manifest_beside(artifact, model))
    located = locate(weights, store, pins)
    check_stamps(model, artifact, located.pins)
    content = {name: (artifact.parent / name).read_bytes() for name in names}
    checked.check()  # so that what was read is what was checked
    with Progress(f"making {folder}", located.pins.size) as progress:
        made = make_folder(
            folder,
            layout,
            content,
            located.pins,
            located.folder,
            link=not copy,
            progress=progress.advance,
        )
    click.echo(f"{made}  with the files of its weights")
