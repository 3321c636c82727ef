"""The whole catalogue: the entries of all areas, in order."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from tests.hostile.areas import (
    arrays,
    artifacts,
    commands,
    configs,
    environments,
    file_servers,
    hubs,
    indices,
    pins,
    safetensors_files,
    stores,
)
from tests.hostile.entry import Entry

AREAS = (
    safetensors_files,
    indices,
    configs,
    pins,
    stores,
    commands,
    file_servers,
    hubs,
    arrays,
    artifacts,
    environments,
)
"""The areas that this catalogue runs itself. The fields of BUILD files are the tenth."""


def entries() -> Iterator[Entry]:
    """Yield every entry."""
    for area in AREAS:
        yield from area.entries()


def sample(step: int) -> Iterator[Entry]:
    """Yield every ``step``-th entry."""
    yield from itertools.islice(entries(), 0, None, step)
