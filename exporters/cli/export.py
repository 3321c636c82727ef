"""The command ``export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from exporters.artifact.layouts import FLAT, LAYOUTS
from exporters.artifact.summary import render
from exporters.cli import families
from exporters.cli.locate import Located, locate
from exporters.cli.options import parse_options, takes_options, takes_weights
from exporters.cli.working import working
from exporters.errors import ExportError
from weights.files.atomic import explained, scratch_folder

if TYPE_CHECKING:
    from exporters.artifact import convert

_NOT_STATED = "not stated"


@click.command()
@click.argument("family")
@takes_weights
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="The artifact to write, or the folder if the layout is not flat. "
    "[default: FAMILY.onnx or FAMILY]",
)
@takes_options
@click.option(
    "--layout",
    type=click.Choice(list(LAYOUTS)),
    default=FLAT,
    show_default=True,
    help="What to write: the artifact alone, which refers to the weights where they are (flat), "
    "or a complete folder for clients (docs/guides/layouts.md).",
)
@click.option("--copy", is_flag=True, help="Copy weights into a folder instead of linking them.")
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
    layout: str,
    copy: bool,
    opset: int,
    licence: str,
    source: str | None,
) -> None:
    """Export FAMILY (gpt_oss, ..., or package.module:function) with WEIGHTS to ONNX.

    The artifact refers to the files of the weights; unless the layout is a single file, it holds no
    copy of them.
    """
    exporter = families.exporter(family)
    name = family.rpartition(":")[2]
    chosen = LAYOUTS[layout]
    result = output or Path(f"{name}.onnx" if layout == FLAT else name)
    if layout == FLAT and result.suffix != ".onnx":
        raise ExportError(f"{result}: the name of an artifact must end in .onnx. Rename it.")
    given = parse_options(options)
    located = locate(weights, store, pins)
    with working(f"exporting {result}"):
        # These take seconds to import, so they wait until the arguments are known to be right.
        from exporters.artifact import convert
        from exporters.artifact.manifest import Weights

        origin = source or located.pins.origin or _NOT_STATED
        described = Weights(name, licence, origin, located.pins.files)
        request = convert.Request(name, exporter, given, opset, located.open(), described, chosen)
        if layout == FLAT:
            artifact, manifest = result, _write(request, result, located)
        else:
            artifact, manifest = _write_folder(request, result, located, link=not copy)
    folder = located.folder.resolve()
    elsewhere = folder if layout == FLAT and artifact.resolve().parent != folder else None
    click.echo(render(manifest, artifact, weights_folder=elsewhere, cached=False), nl=False)


def _write(request: convert.Request, artifact: Path, located: Located) -> dict[str, Any]:
    """Write an artifact and its manifest, and return the manifest."""
    from exporters.artifact import convert

    model = convert.convert(request, artifact.stem)
    located.check()
    return convert.write(request, model, artifact)


def _write_folder(
    request: convert.Request, folder: Path, located: Located, *, link: bool
) -> tuple[Path, dict[str, Any]]:
    """Write a complete folder in a layout, and return the artifact in it and the manifest."""
    from exporters.artifact.convert import manifest_path
    from exporters.artifact.folder import make_folder

    layout = request.layout
    with explained(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(folder) as scratch:
            # The scratch folder is locked, and writing an artifact locks its folder.
            staged = scratch / "artifact" / Path(layout.artifact(request.target)).name
            manifest = _write(request, staged, located)
            own = {file.name: file.read_bytes() for file in (staged, manifest_path(staged))}
            made = make_folder(folder, layout, own, located.pins, located.folder, link=link)
    return made, manifest
