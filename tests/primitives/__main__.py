"""Run JAX's whole harness, and write ``docs/coverage/primitives.md`` if no result is unexpected."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.primitives import document
from tests.primitives.cases import groups
from tests.primitives.judge import Stage
from tests.primitives.known import reason_of
from tests.primitives.processes import Journal, verdicts


def arguments() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser("tests.primitives", description=__doc__)
    parser.add_argument("group", nargs="*", help="judge only these groups, and write nothing")
    parser.add_argument("--processes", type=int, default=2, help="worker processes (default: 2)")
    parser.add_argument("--journal", type=Path, help="file of verdicts, which are not rerun")
    return parser


def main() -> int:
    """Judge cases, and return 1 if a case fails unexpectedly or passes unexpectedly."""
    parser = arguments()
    options = parser.parse_args()
    unknown = sorted(set(options.group) - set(groups()))
    if unknown:
        parser.error(f"there is no group {', '.join(unknown)}")
    chosen = {g: cases for g, cases in groups().items() if not options.group or g in options.group}
    journal = Journal(options.journal)
    names = [case.name for cases in chosen.values() for case in cases]
    for name, verdict in verdicts([n for n in names if n not in journal.known], options.processes):
        journal.add(name, verdict)
    unexpected = 0
    for name in names:
        verdict, reason = journal.known[name], reason_of(name)
        if (verdict.stage in (Stage.PASSED, Stage.JAX)) == (reason is not None):
            unexpected += 1
            print(f"{name}: {verdict}" + (f"; known to fail: {reason}" if reason else ""))
    print(f"{len(names)} cases, {unexpected} with unexpected results")
    if not options.group and not unexpected:
        document.PATH.parent.mkdir(parents=True, exist_ok=True)
        document.PATH.write_text(document.render(chosen, journal.known), "utf-8")
    return 1 if unexpected else 0


if __name__ == "__main__":
    sys.exit(main())
