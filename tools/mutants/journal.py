"""The journal of mutants (JSON lines), and the document that is made from it."""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tools.mutants.mutators import Mutant, change, one_line

Outcome = str
"""``killed`` (a test failed), ``timeout``, ``crash`` or ``survived``."""


@dataclass(frozen=True)
class Row:
    """A mutant and its outcome."""

    key: str
    file: str
    line: int
    mutator: str
    where: str
    before: str
    after: str
    outcome: Outcome
    killer: str
    seconds: float

    @classmethod
    def of(cls, mutant: Mutant, outcome: Outcome, killer: str, seconds: float) -> Row:
        """Return the row of a mutant that was run; ``killer`` is the test that failed, if any."""
        m = mutant
        return cls(
            m.key, m.file, m.first, m.mutator, m.where, m.before, m.after,
            outcome, killer, round(seconds, 2),
        )  # fmt: skip

    @property
    def text(self) -> str:
        """The change, on one line."""
        return change(self.before, self.after)


@dataclass(frozen=True)
class Equivalent:
    """A mutant that no test can kill, because it computes the same as the original.

    An entry identifies the place by its text, so it stays valid when other code moves.
    """

    file: str
    where: str
    before: str
    after: str
    reason: str

    def matches(self, mutant: Row | Mutant) -> bool:
        """Return whether the entry is about this mutant."""
        mine = (self.file, self.where, self.before.strip(), self.after.strip())
        return mine == (mutant.file, mutant.where, mutant.before.strip(), mutant.after.strip())


class Journal:
    """The last outcome of each mutant, and the file that stores the outcomes, if any."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.rows: dict[str, Row] = {}
        if path is not None and path.exists():
            for line in path.read_text("utf-8").splitlines():
                row = Row(**json.loads(line))
                self.rows[row.key] = row

    def add(self, row: Row) -> None:
        """Add a row, which replaces earlier rows of the same mutant."""
        self.rows[row.key] = row
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(row)) + "\n")


def equivalents() -> list[Equivalent]:
    """Return the list in ``equivalents.toml``."""
    text = Path(__file__).with_name("equivalents.toml").read_text("utf-8")
    return [Equivalent(**each) for each in tomllib.loads(text).get("equivalent", [])]


def classify(
    rows: Sequence[Row], known: Sequence[Equivalent]
) -> tuple[list[Row], dict[Row, Equivalent], list[Row]]:
    """Return the killed rows, the equivalent ones with their entries, and the other survivors."""
    killed = [row for row in rows if row.outcome != "survived"]
    equivalent, survived = {}, []
    for row in rows:
        if row.outcome == "survived":
            entry = next((each for each in known if each.matches(row)), None)
            if entry is None:
                survived.append(row)
            else:
                equivalent[row] = entry
    return killed, equivalent, survived


def share(killed: int, survived: int) -> float:
    """Return the share of killed mutants in percent; equivalent ones do not count."""
    return 100.0 * killed / (killed + survived) if killed + survived else 100.0


def render(rows: Sequence[Row], known: Sequence[Equivalent], command: str, total: int) -> str:
    """Return the document: the command, the figures, and every mutant that was not killed."""
    killed, equivalent, survived = classify(rows, known)
    groups = Counter(_group(row.file) for row in rows)
    lines = [
        "# Mutants",
        "",
        "Each mutant is the code with one place changed. A mutant is killed when a test of the",
        "changed file fails, times out or crashes. An equivalent mutant computes the same as the",
        f"code, so no test can kill it. The code has {total} mutants. `{command}`",
        "made this sample.",
        "",
        "| | sampled | killed | equivalent | survived | killed of the non-equivalent |",
        "|---|---|---|---|---|---|",
    ]
    for group in [*sorted(groups), ""]:
        counts = [
            sum(_group(row.file) == group or not group for row in part)
            for part in (rows, killed, equivalent, survived)
        ]
        percent = share(counts[1], counts[3])
        name = f"`{group}`" if group else "all"
        lines.append(f"| {name} | {' | '.join(map(str, counts))} | {percent:.1f}% |")
    lines += ["", *_by_mutator(rows, survived)]
    lines += ["", "## Equivalent", ""]
    lines += [f"- {_described(row)}\n  {entry.reason}" for row, entry in equivalent.items()]
    lines += ["", "## Survived", ""]
    lines += [f"- {_described(row)}" for row in survived] or ["None."]
    return "\n".join(lines) + "\n"


def _by_mutator(rows: Sequence[Row], survived: Sequence[Row]) -> list[str]:
    lines = ["| mutator | sampled | survived |", "|---|---|---|"]
    counts, left = (Counter(row.mutator for row in part) for part in (rows, survived))
    return lines + [f"| {name} | {counts[name]} | {left[name]} |" for name in sorted(counts)]


def _group(file: str) -> str:
    """Return the folder in whose row a file counts, at most three levels deep, or the file."""
    parts = file.split("/")
    return (
        "/".join(parts[:3])
        if len(parts) > 3
        else file
        if parts[0] != "jax2onnx"
        else "/".join(parts[:2])
    )


def _described(row: Row) -> str:
    where = f", `{row.where}`" if row.where else ""
    after = f"becomes `{one_line(row.after)}`" if row.after else "is deleted"
    return f"`{row.file}`{where}: `{one_line(row.before)}` {after}."


def stale(everything: Sequence[Mutant], known: Sequence[Equivalent]) -> list[Equivalent]:
    """Return the entries that match no mutant of the code."""
    return [entry for entry in known if not any(map(entry.matches, everything))]
