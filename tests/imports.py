"""Reading the imports of source files."""

from __future__ import annotations

import ast
from pathlib import Path


def imported(file: Path) -> set[str]:
    """Return the packages that a source file imports anywhere."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return {name.partition(".")[0] for name in names}
