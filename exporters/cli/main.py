"""The command line: what the build does, without the build.

`export`, `verify` and `materialize` take a checkpoint as WEIGHTS: its folder, a digest file written
by `pin`, or hf://org/repo@revision.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from exporters.artifact import summary
from exporters.cli import families, locate
from exporters.cli.working import working
from exporters.errors import ExportError
from weights import Checkpoint, WeightsError
from weights.files.strict_json import read_object
from weights.progress import Progress
from weights.store.materialise import materialise
from weights.store.pins import hash_file

_NOT_STATED = "not stated"
_FILE = click.Path(path_type=Path, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False)

Command = TypeVar("Command", bound=Callable[..., Any])


class _Commands(click.Group):
    """Commands whose users see messages, not tracebacks."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (ExportError, WeightsError) as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """ONNX artifacts from JAX models and safetensors weights."""


def _takes_weights(command: Command) -> Command:
    """Adds WEIGHTS and the options that say how to find them."""
    store = click.option(
        "--store",
        type=_FOLDER,
        envvar="EXPORTERS_STORE",
        default=locate.default_store,
        show_default="~/.cache/onnx-exporters/weights",
        show_envvar=True,
        help="Where fetched weights are kept.",
    )
    pins = click.option("--pins", type=_FILE, help="Hold the folder WEIGHTS to this digest file.")
    return click.argument("weights")(store(pins(command)))


def _takes_options(command: Command) -> Command:
    return click.option(
        "-O",
        "--option",
        "options",
        multiple=True,
        metavar="NAME=VALUE",
        help="An option of the exporter; VALUE is JSON or plain text. Repeat for several.",
    )(command)


@cli.command()
@click.argument("family")
@_takes_weights
@click.option("-o", "--output", type=_FILE, help="The artifact. [default: FAMILY.onnx]")
@_takes_options
@click.option("--opset", default=23, show_default=True, help="Version of the ONNX operator set.")
@click.option("--licence", default=_NOT_STATED, help="Terms of use of the weights.")
@click.option("--source", help="Where the weights come from. [default: the pins' origin]")
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

    The artifact points into the weights' own files; nothing of them is copied.
    """
    exporter = families.exporter(family)
    name = family.rpartition(":")[2]
    artifact = output or Path(f"{name}.onnx")
    if artifact.suffix != ".onnx":
        raise ExportError(f"{artifact}: the name of an artifact ends in .onnx.")
    given = _parse_options(options)
    located = locate.locate(weights, store, pins)
    with working(f"exporting {artifact}"):
        # What takes seconds to import waits until the arguments are known to be right.
        from exporters.artifact.convert import Request
        from exporters.artifact.convert import export as write
        from exporters.artifact.manifest import Weights

        origin = source or located.pins.origin or _NOT_STATED
        described = Weights(name, licence, origin, located.pins.files)
        request = Request(name, exporter, given, opset, located.open(), described)
        manifest = write(request, artifact)
    folder = located.folder.resolve()
    elsewhere = None if artifact.resolve().parent == folder else folder
    click.echo(summary.render(manifest, artifact, weights_folder=elsewhere, cached=False), nl=False)


@cli.command()
@click.argument("artifact", type=_FILE)
@_takes_weights
@click.option("--exporter", help="Family of the artifact. [default: as its manifest says]")
@_takes_options
@click.option("--reference", default="against_jax", show_default=True, help="What to hold it to.")
@click.option("--data", type=_FILE, help="Outputs that the reference compares with (.npz).")
@click.option("--provider", default="cpu", show_default=True, help="ONNX Runtime's: cpu or cuda.")
@click.option("--atol", default=1e-5, show_default=True, help="Tolerated absolute error.")
@click.option("--rtol", default=1e-4, show_default=True, help="Tolerated relative error.")
def verify(
    artifact: Path,
    weights: str,
    pins: Path | None,
    store: Path,
    exporter: str | None,
    options: tuple[str, ...],
    reference: str,
    data: Path | None,
    provider: str,
    atol: float,
    rtol: float,
) -> None:
    """Run ARTIFACT on ONNX Runtime and hold it to a reference."""
    if not artifact.is_file():
        raise ExportError(f"{artifact} does not exist. Export the model first.")
    if exporter is None:
        made = _manifest_of(artifact, "give --exporter")
        exporter, given = made["exporter"], {**made["options"], **_parse_options(options)}
    else:
        exporter, given = families.exporter(exporter), _parse_options(options)
    located = locate.locate(weights, store, pins)
    with working(f"verifying {artifact}") as say:
        from exporters.artifact.inspection import check_weights
        from exporters.parity.hold import Test, hold

        check_weights(artifact, located.pins)
        function = families.reference(reference, exporter)
        test = Test(artifact.stem, artifact, exporter, given, function, data, provider, atol, rtol)
        hold(test, located.open(), say)


@cli.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Everything, as JSON.")
def inspect(path: Path, as_json: bool) -> None:
    """Describe an artifact (NAME.onnx) or the checkpoint in a folder."""
    from exporters.artifact.inspection import (
        describe_artifact,
        describe_checkpoint,
        render_checkpoint,
    )
    from exporters.artifact.manifest import to_json

    if path.is_dir():
        checkpoint = describe_checkpoint(Checkpoint.open(path))
        click.echo(
            to_json(checkpoint) if as_json else render_checkpoint(checkpoint, path), nl=False
        )
        return
    artifact = describe_artifact(path)
    click.echo(to_json(artifact) if as_json else summary.render(artifact, path), nl=False)


@cli.command()
@click.argument("source")
@click.option("-o", "--output", type=_FILE, help="The digest file. [default: print it]")
def pin(source: str, output: Path | None) -> None:
    """Write the digest file of SOURCE: a checkpoint's folder, or hf://org/repo@revision.

    A token for a private repository is taken from HF_TOKEN.
    """
    pins = locate.pin(source)
    if output is None:
        click.echo(pins.dumps(), nl=False)
    else:
        pins.write(output)
        click.echo(f"{output}  {len(pins.files)} files, {summary.size(pins.size)}")


@cli.command()
@click.argument("artifact", type=_FILE)
@_takes_weights
@click.argument("folder", type=_FOLDER)
@click.option("--copy", is_flag=True, help="Copy the weights, where hard links would do.")
def materialize(
    artifact: Path, weights: str, pins: Path | None, store: Path, folder: Path, copy: bool
) -> None:
    """Make FOLDER, which holds ARTIFACT, its manifest and its WEIGHTS, and needs nothing else."""
    if not artifact.is_file():
        raise ExportError(f"{artifact} does not exist. Export the model first.")
    located = locate.locate(weights, store, pins)
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


def _parse_options(options: Iterable[str]) -> dict[str, Any]:
    """{"batch": 4, "sequence": "T"} for ["batch=4", "sequence=T"]."""
    parsed: dict[str, Any] = {}
    for option in options:
        name, separator, text = option.partition("=")
        if not separator or not name:
            raise ExportError(f"option {option!r} is not of the form NAME=VALUE.")
        try:
            parsed[name] = json.loads(text)
        except json.JSONDecodeError:
            parsed[name] = text
    return parsed


def _manifest_of(artifact: Path, otherwise: str) -> Mapping[str, Any]:
    file = artifact.with_suffix(".manifest.json")
    if not file.is_file():
        raise ExportError(f"{file} does not exist, so {otherwise} to say what {artifact.name} is.")
    made = read_object(file, "It is written by the export; export again.")
    kinds = {"exporter": str, "options": dict, "artifact": dict}
    if not all(isinstance(made.get(key), kind) for key, kind in kinds.items()):
        raise ExportError(f"{file} is no manifest of an artifact: export again, or {otherwise}.")
    if made["artifact"].get("sha256") != hash_file(artifact)[0]:
        raise ExportError(f"{file} is of another artifact than {artifact}: export again.")
    # An exporter is code that runs here, and a manifest may be a stranger's.
    if not families.is_family(made["exporter"]):
        raise ExportError(
            f"{file} says that {made['exporter']!r} made the artifact, which is no model family "
            f"of this package. If you trust that code, {otherwise}, and its options, yourself."
        )
    return made
