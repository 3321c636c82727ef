"""The page about the catalogue, docs/coverage/hostile.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from tests.hostile.runner import MEGABYTES, SECONDS, Outcome

PAGE = Path(__file__).parents[2] / "docs" / "coverage" / "hostile.md"

_BEGIN = f"""\
# Bad input

Every row is a part of a catalogue of bad input (`tests/hostile`). An entry is an input, the command
that meets it, and a part of the line that the command must say. An entry is clean if the command
says that line and ends with the exit status of an error; if it shows no traceback, no control
character, no token and no password; if it prints at most 16,000 characters; if it leaves no file
behind; and if it takes at most {SECONDS:.0f} seconds of processor time and {MEGABYTES:,.0f} MB.

The test command runs every tenth entry. `python -m tests.hostile` runs all of them and writes this
page.

| area | what is bad | tried | clean |
|---|---|--:|--:|
"""


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes:
        area: the area of the catalogue.
        what: what is bad in its entries.
        tried: the number of entries.
        clean: the number of entries that ended clean.
    """

    area: str
    what: str
    tried: int
    clean: int


def row(area: ModuleType, outcomes: Sequence[Outcome]) -> Row:
    """Return the row of an area, whose docstring says what is bad."""
    _, _, what = (area.__doc__ or "").strip().split("\n")[0].partition(": ")
    clean = sum(not outcome.faults for outcome in outcomes)
    return Row(area.AREA, what.rstrip("."), len(outcomes), clean)


def write(rows: Iterable[Row]) -> None:
    """Write the page."""
    PAGE.write_text(page(list(rows)), "utf-8")


def page(rows: Sequence[Row]) -> str:
    """Return the text of the page."""
    lines = [f"| {each.area} | {each.what} | {each.tried} | {each.clean} |" for each in rows]
    total = f"| **all** | | **{sum(r.tried for r in rows)}** | **{sum(r.clean for r in rows)}** |"
    return _BEGIN + "\n".join([*lines, total]) + "\n"
