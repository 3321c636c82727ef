"""The command ``verify``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from exporters.cli import families
from exporters.cli.locate import locate
from exporters.cli.options import FILE, parse_options, takes_options, takes_weights
from exporters.cli.working import working
from exporters.errors import ExportError
from weights.files.pins import hash_folder


@click.command()
@click.argument("artifact", type=FILE)
@takes_weights
@click.option("--exporter", help="The family of the artifact. [default: the one in its manifest]")
@takes_options
@click.option("--reference", default="against_jax", show_default=True, help="What to compare with.")
@click.option("--data", type=FILE, help="The stored outputs that the reference reads (.npz).")
@click.option(
    "--provider",
    default="cpu",
    show_default=True,
    help="The execution provider of ONNX Runtime: cpu or cuda.",
)
@click.option("--atol", default=1e-5, show_default=True, help="Absolute tolerance.")
@click.option("--rtol", default=1e-4, show_default=True, help="Relative tolerance.")
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
    """Run ARTIFACT on ONNX Runtime and compare its outputs with a reference."""
    if not artifact.is_file():
        raise ExportError(f"{artifact} does not exist. Export the model first.")
    given = parse_options(options)
    # These take seconds to import, so they wait until the arguments are known to be right.
    from exporters.artifact.agreement import manifest_beside
    from exporters.artifact.folder import layout_of
    from exporters.artifact.inspection import load
    from exporters.artifact.stamp import check_stamps

    model = load(artifact)
    _, checked = hash_folder(artifact.parent, [artifact.name])
    made = manifest_beside(artifact, model)
    layout = layout_of(made)
    if exporter is None:
        trusted = _trusted(made, artifact)
        exporter, given = trusted["exporter"], {**trusted["options"], **given}
    else:
        exporter = families.exporter(exporter)
    located = locate(weights, store, pins)
    with working(f"verifying {artifact}") as say:
        from exporters.parity import verify as parity
        from exporters.parity.definition import ParityTest

        check_stamps(model, artifact, located.pins)
        test = ParityTest(
            target=artifact.stem,
            model=artifact,
            layout=layout.name,
            exporter=exporter,
            options=given,
            reference=families.reference(reference, exporter),
            data=data,
            provider=provider,
            atol=atol,
            rtol=rtol,
        )
        parity.verify(test, located.open(), say)
        # What was compared is what was checked before.
        located.check()
        checked.check()


def _trusted(made: Mapping[str, Any] | None, artifact: Path) -> Mapping[str, Any]:
    """Return the manifest of an artifact, if its exporter may run.

    Raises:
        ExportError: there is no manifest, or its exporter is not an installed model family.
    """
    file = artifact.with_suffix(".manifest.json")
    if made is None:
        raise ExportError(
            f"{file} does not exist, so give --exporter to say what {artifact.name} is."
        )
    # The exporter is code that runs here, and the manifest may come from a stranger.
    if not families.is_family(made["exporter"]):
        raise ExportError(
            f"{file} says that {made['exporter']!r} made the artifact, which is not a model family "
            "that is installed here. If you trust that code, give --exporter, and its options, "
            "yourself."
        )
    return made
