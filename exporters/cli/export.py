"""The command ``export``."""

from __future__ import annotations

from pathlib import Path

import click

from exporters.artifact.summary import render
from exporters.cli import families
from exporters.cli.locate import locate
from exporters.cli.options import FILE, parse_options, takes_options, takes_weights
from exporters.cli.working import working
from exporters.errors import ExportError

_NOT_STATED = "not stated"


@click.command()
@click.argument("family")
@takes_weights
@click.option("-o", "--output", type=FILE, help="The artifact to write. [default: FAMILY.onnx]")
@takes_options
@click.option("--opset", default=23, show_default=True, help="Version of the ONNX operator set.")
@click.option("--licence", default=_NOT_STATED, help="The terms of use of the weights.")
@click.option("--source", help="Where the weights come from. [default: the origin in the pins]")
def export(
    family: str,
    weights: str,
    pins: Path | None,
    store: Path,
    output: Path | None,
    options: tuple[str, ...],
    opset: int,
    licence: str,
    source: str | None,
) -> None:
    """Export FAMILY (gpt_oss, ..., or package.module:function) with WEIGHTS to ONNX.

    The artifact refers to the files of the weights; it holds no copy of them.
    """
    exporter = families.exporter(family)
    name = family.rpartition(":")[2]
    artifact = output or Path(f"{name}.onnx")
    if artifact.suffix != ".onnx":
        raise ExportError(f"{artifact}: the name of an artifact must end in .onnx. Rename it.")
    given = parse_options(options)
    located = locate(weights, store, pins)
    with working(f"exporting {artifact}"):
        # These take seconds to import, so they wait until the arguments are known to be right.
        from exporters.artifact import convert
        from exporters.artifact.manifest import Weights

        origin = source or located.pins.origin or _NOT_STATED
        described = Weights(name, licence, origin, located.pins.files)
        request = convert.Request(name, exporter, given, opset, located.open(), described)
        model = convert.convert(request, artifact.stem)
        located.check()
        manifest = convert.write(request, model, artifact)
    folder = located.folder.resolve()
    elsewhere = None if artifact.resolve().parent == folder else folder
    click.echo(render(manifest, artifact, weights_folder=elsewhere, cached=False), nl=False)
