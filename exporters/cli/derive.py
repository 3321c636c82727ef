"""The command ``derive``."""

from __future__ import annotations

from pathlib import Path

import click

from exporters.artifact.summary import size
from exporters.cli.locate import locate
from exporters.cli.options import FOLDER, takes_weights
from weights.progress import Progress


@click.command()
@click.argument("function")
@takes_weights
@click.argument("folder", type=FOLDER)
def derive(function: str, weights: str, pins: Path | None, store: Path, folder: Path) -> None:
    """Write the checkpoint that FUNCTION derives from WEIGHTS to FOLDER.

    FUNCTION is package.module:function, such as exporters.families.gpt_oss.derived:int8. The
    config.json of FOLDER records it, and the digests of WEIGHTS.
    """
    located = locate(weights, store, pins)
    # These take seconds to import, so they wait until the arguments are known to be right.
    from exporters import functions
    from weights import Checkpoint
    from weights.derived import write_derived

    checkpoint = Checkpoint.open(located.folder)
    made = functions.call(functions.find(function, "function"), function, [checkpoint], {})
    total = sum(tensor.nbytes for tensor in made.values())
    with Progress(f"making {folder}", total) as progress:
        written = write_derived(
            folder, checkpoint.json(), made, function, located.pins, progress=progress.advance
        )
    click.echo(f"{folder}  {len(written.files)} files, {size(written.size)}")
