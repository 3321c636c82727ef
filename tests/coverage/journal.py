"""Verdicts that are kept between runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from tests.coverage.modes import Mode, Verdict

Key = tuple[str, str, Mode]
"""A library, the name of an example, and a mode."""


class Journal:
    """Verdicts by example and mode, and the file that stores them, if any.

    Args:
        path: the file, whose verdicts are loaded.
        again: whether to drop failures, so that they are rerun.
    """

    def __init__(self, path: Path | None, again: bool = False) -> None:
        self.path = path
        self.known: dict[Key, Verdict] = {}
        if path is not None and path.exists():
            for line in path.read_text("utf-8").splitlines():
                library, example, mode, status, cause, operators = json.loads(line)
                self.known[library, example, mode] = Verdict(status, cause, tuple(operators))
        if again:
            self.known = {k: v for k, v in self.known.items() if v.status not in ("failed", "jax")}

    def add(self, verdicts: Mapping[Key, Verdict]) -> None:
        """Add verdicts, which replace earlier ones under the same key."""
        self.known |= verdicts
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                for key, verdict in verdicts.items():
                    entry = [*key, verdict.status, verdict.cause, verdict.operators]
                    file.write(json.dumps(entry) + "\n")
