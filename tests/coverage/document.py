"""The documents, one for each library with a row for each symbol, and their summary."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.coverage.excluded import REASONS
from tests.coverage.introspect import LIBRARIES, Library
from tests.coverage.modes import MODES, Mode, Verdict

FOLDER = Path(__file__).parents[2] / "docs" / "coverage"
MARKS = {"passed": "✓", "failed": "✗", "jax": "JAX", "none": "–"}
_MADE_WITH = (
    "Made by `python -m tests.coverage` with {release}; [README.md](README.md) says what is shown."
)
Verdicts = Mapping[tuple[str, Mode], Verdict]
"""Verdicts by the name of an example and the mode."""


@dataclass(frozen=True)
class Row:
    """The row of a symbol: its operators, a mark for each mode, and the causes of failures."""

    symbol: str
    operators: tuple[str, ...]
    marks: tuple[str, ...]
    causes: tuple[str, ...] = ()

    def __str__(self) -> str:
        operators = " ".join(self.operators) or "–"
        cells = [f"`{self.symbol}`", operators, *self.marks, "<br>".join(self.causes)]
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells).rstrip() + " |"


def path(library: Library) -> Path:
    """Return the path of a library's document."""
    return FOLDER / f"{library.name}.md"


def rows(library: Library, verdicts: Verdicts) -> list[Row]:
    """Return a row for each symbol of the library that is a computation."""
    return [_row(library, symbol, verdicts) for symbol in library.traceable]


def _row(library: Library, symbol: str, verdicts: Verdicts) -> Row:
    examples = [e for e in library.all_examples() if e.symbol == symbol]
    if not examples:
        return Row(symbol, (), (MARKS["failed"],) * len(MODES), ("no example",))
    found = {m: {e.name: verdicts[e.name, m] for e in examples} for m in MODES}
    operators = dict.fromkeys(o for m in MODES for v in found[m].values() for o in v.operators)
    marks = tuple(MARKS[_worst([v.status for v in found[m].values()])] for m in MODES)
    causes: dict[str, list[str]] = {}
    for mode in MODES:
        for name, verdict in found[mode].items():
            if verdict.cause:
                causes.setdefault(verdict.cause, []).append(f"{mode} {name.removeprefix(symbol)}")
    return Row(symbol, tuple(operators), marks, tuple(map(_cause_text, causes, causes.values())))


def _worst(statuses: Sequence[str]) -> str:
    return next(s for s in ("failed", "passed", "jax", "none") if s in statuses)


def _cause_text(cause: str, where: Sequence[str]) -> str:
    text = cause.replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_")
    return f"{', '.join(x.strip() for x in where)}: {text}"


def render(library: Library, rows_: Sequence[Row]) -> str:
    """Return the document of a library as Markdown."""
    lines = [
        f"# {library.name}",
        "",
        f"{_MADE_WITH.format(release=library.release)} {_sums(rows_)}",
        "",
        "| symbol | ONNX operators | " + " | ".join(MODES) + " | failures and their causes |",
        "|---|---|" + "---|" * (len(MODES) + 1),
        *map(str, rows_),
    ]
    excluded = library.excluded()
    if excluded:
        lines += ["", "## Symbols that compute nothing", ""]
        for reason, meaning in REASONS.items():
            names = [f"`{symbol}`" for symbol, r in excluded.items() if r == reason]
            if names:
                lines += [f"- {meaning}: {', '.join(names)}"]
    return "\n".join(lines) + "\n"


def _sums(rows_: Sequence[Row]) -> str:
    parts = []
    for k, mode in enumerate(MODES):
        passed, counted = counts(row.marks[k] for row in rows_)
        parts.append(f"{mode} {passed} of {counted}")
    return f"{len(rows_)} symbols; passed: {', '.join(parts)}."


def counts(marks: Iterable[str]) -> tuple[int, int]:
    """Return how many rows pass, and how many JAX can trace."""
    counted = [mark for mark in marks if mark in (MARKS["passed"], MARKS["failed"])]
    return counted.count(MARKS["passed"]), len(counted)


def read(library: Library) -> list[Row]:
    """Read the rows of a library's checked-in document."""
    found = []
    for line in path(library).read_text("utf-8").splitlines():
        if line.startswith("| `"):
            cells = [cell.strip() for cell in line.split(" | ")]
            symbol, operators = cells[0].removeprefix("| ").strip("`"), tuple(cells[1].split())
            marks = tuple(cell.removesuffix(" |") for cell in cells[2 : 2 + len(MODES)])
            causes = tuple(cells[-1].removesuffix(" |").split("<br>"))
            found.append(Row(symbol, operators, marks, causes))
    return found


@functools.cache
def is_of_this_release(library: Library) -> bool:
    """Return whether the document was made with the installed release of the library."""
    return _MADE_WITH.format(release=library.release) in path(library).read_text("utf-8")


def summary() -> str:
    """Return the text of ``README.md``, with the current share of passing rows of each library."""
    header = (FOLDER / "README.md").read_text("utf-8").partition("| library |")[0]
    lines = ["| library | symbols | " + " | ".join(MODES) + " |", "|---|---|" + "---|" * len(MODES)]
    for library in (each for each in LIBRARIES if path(each).exists()):
        found = read(library)
        cells = []
        for k in range(len(MODES)):
            passed, counted = counts(row.marks[k] for row in found)
            cells.append(f"{passed}/{counted} {100 * passed / counted:.1f}%" if counted else "–")
        link = f"[{library.name}]({library.name}.md)"
        lines.append(f"| {link} | {len(found)} | " + " | ".join(cells) + " |")
    return header + "\n".join(lines) + "\n"
