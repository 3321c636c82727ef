"""A sample of the catalogue of bad input; ``python -m tests.hostile`` runs all of it."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.hostile import catalogue, document

# The entries are run in a process of their own: it forks, and must not have started threads.
_RUN = """
import sys
from tests.hostile import catalogue, runner
from tests.hostile.servers import serving
with serving() as hub:
    outcomes = list(runner.run(catalogue.sample(int(sys.argv[1])), hub, 2))
for outcome in outcomes:
    for fault in outcome.faults:
        print(f"{outcome.entry.title}: {fault}")
print(len(outcomes))
"""


def test_a_sample_of_the_catalogue() -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-W", "ignore", "-c", _RUN, "10"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    *faults, count = done.stdout.splitlines()
    assert not faults
    assert int(count) > 90


def test_entries_have_names_of_their_own() -> None:
    titles = Counter(entry.title for entry in catalogue.entries())
    assert [title for title, count in titles.items() if count > 1] == []


def test_the_page_counts_the_catalogue() -> None:
    text = document.PAGE.read_text("utf-8")
    tried = Counter(entry.area for entry in catalogue.entries())
    for area, count in tried.items():
        assert f"| {count} | {count} |\n" in next(
            line + "\n" for line in text.splitlines() if line.startswith(f"| {area} |")
        )
