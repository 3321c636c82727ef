from __future__ import annotations

from pathlib import Path

import pytest

from onnx_export.testing import Repository, write_wheel


@pytest.fixture(scope="session")
def caches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that all checkouts of this machine share."""
    folder = tmp_path_factory.mktemp("caches")
    model = {f"tiny/model/{name}": "{}" for name in ("config.json", "1_Pooling/config.json")}
    model["tiny/__init__.py"] = ""
    write_wheel(folder / "wheels", "1.0", {**model, "tiny/model/w.safetensors": "of a wheel"})
    write_wheel(folder / "wheels", "2.0", {**model, "tiny/model/w.safetensors": "of another"})
    return folder


@pytest.fixture(scope="session")
def checkout(caches: Path) -> Repository:
    """Return one checkout for all tests, because it takes seconds to load the rules."""
    return Repository(caches)


@pytest.fixture
def repository(checkout: Repository, request: pytest.FixtureRequest) -> Repository:
    """Return the tiny repository as ``testing`` writes it."""
    checkout.reset(salt=request.node.name)
    return checkout
