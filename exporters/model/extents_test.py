from __future__ import annotations

from typing import Any

import pytest

from exporters.errors import ExportError
from exporters.model.extents import check_extent


@pytest.mark.parametrize("extent", [1, 256, "B", "batch_size"])
def test_takes_numbers_and_names(extent: int | str) -> None:
    check_extent("batch", extent)


@pytest.mark.parametrize("extent", [0, -1, 2.5, True, None, "", "2", "a b", "2*B", "größe", [2]])
def test_refuses_anything_else(extent: Any) -> None:
    with pytest.raises(ExportError, match=r"^batch is .*: give a positive number or, to leave it"):
        check_extent("batch", extent)


def test_refuses_the_name_of_another_dimension() -> None:
    with pytest.raises(ExportError, match=r"^tokens is 'B', which is the name of another dim"):
        check_extent("tokens", "B", taken=["B", 3])
    check_extent("tokens", 3, taken=["B", 3])
