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
from weights.files.pins import hash_file
from weights.files.strict_json import read_object


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
    if exporter is None:
        made = _manifest_of(artifact, "give --exporter")
        exporter, given = made["exporter"], {**made["options"], **given}
    else:
        exporter = families.exporter(exporter)
    located = locate(weights, store, pins)
    with working(f"verifying {artifact}") as say:
        # These take seconds to import, so they wait until the arguments are known to be right.
        from exporters.artifact.inspection import check_weights
        from exporters.parity import verify as parity
        from exporters.parity.definition import ParityTest

        check_weights(artifact, located.pins)
        test = ParityTest(
            target=artifact.stem,
            model=artifact,
            exporter=exporter,
            options=given,
            reference=families.reference(reference, exporter),
            data=data,
            provider=provider,
            atol=atol,
            rtol=rtol,
        )
        parity.verify(test, located.open(), say)


def _manifest_of(artifact: Path, otherwise: str) -> Mapping[str, Any]:
    """Return the manifest beside an artifact.

    Args:
        artifact: the file of the artifact.
        otherwise: what to do without a manifest, for messages.

    Raises:
        ExportError: there is no manifest, it belongs to another artifact, or its exporter is not
            a model family of this package.
    """
    file = artifact.with_suffix(".manifest.json")
    if not file.is_file():
        raise ExportError(f"{file} does not exist, so {otherwise} to say what {artifact.name} is.")
    made = read_object(file, "The export writes it; export again.")
    kinds = {"exporter": str, "options": dict, "artifact": dict}
    if not all(isinstance(made.get(key), kind) for key, kind in kinds.items()):
        raise ExportError(
            f"{file} is not the manifest of an artifact: export again, or {otherwise}."
        )
    if made["artifact"].get("sha256") != hash_file(artifact)[0]:
        raise ExportError(f"{file} belongs to another artifact than {artifact}: export again.")
    # The exporter is code that runs here, and the manifest may come from a stranger.
    if not families.is_family(made["exporter"]):
        raise ExportError(
            f"{file} says that {made['exporter']!r} made the artifact, which is not a model family "
            f"of this package. If you trust that code, {otherwise}, and its options, yourself."
        )
    return made
