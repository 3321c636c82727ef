"""The model families of this package: each folder with an `export.py` is one."""

from __future__ import annotations

from pathlib import Path

from exporters.errors import ExportError
from exporters.functions import did_you_mean


def families() -> list[str]:
    """Their names, sorted."""
    return sorted(
        each.parent.name for each in (Path(__file__).parents[1] / "families").glob("*/export.py")
    )


def exporter(name: str) -> str:
    """The exporter of a family, or `name` itself when it is "package.module:function".

    Raises:
        ExportError: there is no such family.
    """
    if ":" in name:
        return name
    if name not in families():
        raise ExportError(
            f"there is no model family {name!r}{did_you_mean(name, families())}. Known are "
            f"{', '.join(families())}; another exporter is given as package.module:function."
        )
    return f"exporters.families.{name}.export:export"


def is_family(exporter: str) -> bool:
    """Whether `exporter`, a "package.module:function", is that of a family."""
    return exporter in {f"exporters.families.{name}.export:export" for name in families()}


def reference(name: str, exporter: str) -> str:
    """The reference "against_jax" of the exporter's family, or `name` itself as above."""
    if ":" in name:
        return name
    package = exporter.partition(":")[0].rpartition(".")[0]
    return f"{package}.parity:{name}"
