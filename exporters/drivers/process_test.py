"""The processes that the build starts, run as it runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from weights import Checkpoint
from weights.store.pins import Pins, pin_folder
from weights.store.store import Store

REPOSITORY = Path(__file__).parents[2]
TINY = REPOSITORY / "weights" / "fixtures" / "minilm_tiny"
FILES = ("config.json", "model.safetensors")


def run(module: str, request: dict[str, Any], sandbox: Path) -> subprocess.CompletedProcess[str]:
    (sandbox / "spec.json").write_text(json.dumps({"version": 1, **request}))
    return subprocess.run(
        [sys.executable, "-m", module, "spec.json"],
        cwd=sandbox,
        env={"PATH": os.defpath, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def pinned() -> Pins:
    return pin_folder(TINY, FILES)


def listed(pins: Pins) -> list[dict[str, Any]]:
    return [{"name": p.name, "sha256": p.sha256, "size": p.size} for p in pins.files]


def model(**place: str) -> dict[str, Any]:
    weights = {
        "target": "weights:w",
        "licence": "MIT",
        "source": "made up",
        "files": listed(pinned()),
        **place,
    }
    return {
        "target": "exporters:m",
        "exporter": "exporters.families.minilm.export:export",
        "options": {},
        "weights": [weights],
    }


def export(**place: str) -> dict[str, Any]:
    return {**model(**place), "action": "export", "opset": 23, "output": "__out/m.onnx"}


@pytest.fixture
def sandbox(tmp_path: Path) -> Path:
    """A working directory with a link to a store that lies outside it, as the build makes them."""
    folder = tmp_path / "sandbox"
    (folder / "__cache").mkdir(parents=True)
    (tmp_path / "store").mkdir()
    (folder / "__cache" / "weights").symlink_to(tmp_path / "store")
    return folder


def test_weights_in_a_store(sandbox: Path, tmp_path: Path) -> None:
    request = export(store="__cache/weights")
    absent = run("exporters.drivers.build", request, sandbox)
    assert absent.returncode == os.EX_TEMPFAIL
    assert absent.stderr == (
        "weights:w: 2 of 2 files (102 kB) are not in the store of weights: config.json, "
        "model.safetensors. Fetch them: ./pants run weights:w\n"
    )
    assert not (sandbox / "__out").exists()

    store = Store(tmp_path / "store")
    for pin in pinned().files:
        store.add(TINY / pin.name, pin)
    done = run("exporters.drivers.build", request, sandbox)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    manifest = json.loads((sandbox / "__out" / "m.manifest.json").read_text())
    assert manifest["weights"][0]["folder"] == f"views/{pinned().digest}"
    assert manifest["weights"][0]["files"] == listed(pinned())
    assert manifest["metadata"]["model_license"] == "MIT"
    assert manifest["parameters"]["files"] == ["model.safetensors"]

    test = {
        **model(store="__cache/weights"),
        "action": "parity",
        "model": "__out/m.onnx",
        "reference": "exporters.families.minilm.parity:against_jax",
        "data": None,
        "execution_provider": "cpu",
        "atol": 1e-5,
        "rtol": 1e-4,
    }
    assert run("exporters.drivers.parity", test, sandbox).returncode == 0
    failed = run("exporters.drivers.parity", {**test, "atol": 0.0, "rtol": 0.0}, sandbox)
    assert failed.returncode == 1
    assert "largest relative error" in failed.stdout
    assert "case(s) disagree" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_fetch_from_a_folder(sandbox: Path, tmp_path: Path) -> None:
    folder = tmp_path / "content" / "sha256"
    folder.mkdir(parents=True)
    for pin in pinned().files:
        (folder / pin.sha256).write_bytes((TINY / pin.name).read_bytes())
    request = {
        "action": "fetch",
        "target": "weights:w",
        "url": None,
        "files": listed(pinned()),
        "store": "__cache/weights",
        "folders": [str(folder.parent)],
    }
    done = run("exporters.drivers.provide", request, sandbox)
    assert (done.returncode, done.stderr) == (0, "")
    view = tmp_path / "store" / done.stdout.strip()
    pinned().verify(view)

    lost = run("exporters.drivers.provide", {**request, "folders": [], "store": "other"}, sandbox)
    assert lost.returncode == 1
    assert "config.json" in lost.stderr
    assert "Traceback" not in lost.stderr


@pytest.mark.parametrize("above", [0, 10**9])
def test_synthesise(sandbox: Path, tmp_path: Path, above: int) -> None:
    config = json.loads((TINY.parent / "dinov3_vit" / "config.json").read_text())
    request = {
        "action": "synthesise",
        "target": "weights:w",
        "generator": "exporters.families.dinov3.checkpoint:synthetic",
        "config": config,
        "seed": 3,
        "output": "__out",
        "store": "__cache/weights",
        "store_above": above,
    }
    done = run("exporters.drivers.provide", request, sandbox)
    assert (done.returncode, done.stderr) == (0, "")
    listing = json.loads((sandbox / "__out" / "files.json").read_text())
    assert [each["name"] for each in listing] == ["config.json", "model.safetensors"]
    in_store = done.stdout.strip()
    assert bool(in_store) == (above == 0)
    folder = tmp_path / "store" / in_store if in_store else sandbox / "__out"
    assert Checkpoint.open(folder).json() == config
    if in_store:
        assert not list((tmp_path / "store").glob("partial/.*.partial"))
        assert [each.name for each in (sandbox / "__out").iterdir()] == ["files.json"]


def test_a_request_is_needed(sandbox: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "exporters.drivers.build"],
        cwd=sandbox,
        env={"PATH": os.defpath, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
