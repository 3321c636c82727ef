"""The model families of this package: each folder of ``families`` that has an ``export.py``."""

from __future__ import annotations

from pathlib import Path

from exporters.errors import ExportError
from exporters.functions import did_you_mean


def families() -> list[str]:
    """Return the names of the families, sorted."""
    return sorted(
        each.parent.name for each in (Path(__file__).parents[1] / "families").glob("*/export.py")
    )


def exporter(name: str) -> str:
    """Return the exporter of a family, or ``name`` itself if it is ``package.module:function``.

    Raises:
        ExportError: there is no such family.
    """
    if ":" in name:
        return name
    if name not in families():
        raise ExportError(
            f"there is no model family {name!r}{did_you_mean(name, families())}. Known are "
            f"{', '.join(families())}; name another exporter as package.module:function."
        )
    return f"exporters.families.{name}.export:export"


def is_family(exporter: str) -> bool:
    """Return whether ``package.module:function`` is the exporter of a family."""
    return exporter in {f"exporters.families.{name}.export:export" for name in families()}


def reference(name: str, exporter: str) -> str:
    """Return a reference as ``package.module:function``.

    Args:
        name: the name of a function in the family's ``parity`` module, such as ``against_jax``, or
            any ``package.module:function``.
        exporter: the exporter, whose family is meant.
    """
    if ":" in name:
        return name
    package = exporter.partition(":")[0].rpartition(".")[0]
    return f"{package}.parity:{name}"
