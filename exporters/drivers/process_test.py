"""The drivers run as the build runs them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from exporters.drivers.request import (
    LISTING,
    UNAVAILABLE,
    Derive,
    Export,
    Fetch,
    File,
    Parity,
    Request,
    Synthesise,
    Weights,
    files_from_json,
    to_json,
)
from weights import Checkpoint
from weights.files.pins import Pins, pin_folder
from weights.store import Store

REPOSITORY = Path(__file__).parents[2]
TINY = REPOSITORY / "weights" / "fixtures" / "minilm_tiny"
FILES = ("config.json", "model.safetensors")


def run(module: str, sent: Request, sandbox: Path) -> subprocess.CompletedProcess[str]:
    (sandbox / "spec.json").write_text(to_json(sent))
    return start(module, "spec.json", sandbox)


def start(module: str, argument: str, sandbox: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, argument],
        cwd=sandbox,
        env={"PATH": os.defpath, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def pinned() -> Pins:
    return pin_folder(TINY, FILES)


def listed(pins: Pins) -> tuple[File, ...]:
    return tuple(File(p.name, p.sha256, p.size) for p in pins.files)


EXPORTER = "exporters.families.minilm.export:export"
STORED = Weights("weights:w", "MIT", "made up", listed(pinned()), store="__cache/weights")
EXPORT = Export("exporters:m", EXPORTER, {}, STORED, 23, "flat", "__out/m.onnx")
PARITY = Parity(
    "exporters:m",
    EXPORTER,
    {},
    STORED,
    "__out/m.onnx",
    "flat",
    "exporters.families.minilm.parity:against_jax",
    None,
    "cpu",
    1e-5,
    1e-4,
    "__out/parity.json",
)


@pytest.fixture
def sandbox(tmp_path: Path) -> Path:
    """Return a working directory with a link to a store outside it, as the build makes it."""
    folder = tmp_path / "sandbox"
    (folder / "__cache").mkdir(parents=True)
    (tmp_path / "store").mkdir()
    (folder / "__cache" / "weights").symlink_to(tmp_path / "store")
    return folder


def test_weights_in_a_store(sandbox: Path, tmp_path: Path) -> None:
    absent = run("exporters.drivers.build", EXPORT, sandbox)
    assert absent.returncode == os.EX_TEMPFAIL == UNAVAILABLE
    assert absent.stderr == (
        "weights:w: 2 of 2 files (102 kB) are not in the store of weights: config.json, "
        "model.safetensors. Fetch them: ./pants run weights:w\n"
    )
    assert not (sandbox / "__out").exists()

    store = Store(tmp_path / "store")
    for pin in pinned().files:
        store.add(TINY / pin.name, pin)
    done = run("exporters.drivers.build", EXPORT, sandbox)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    manifest = json.loads((sandbox / "__out" / "m.manifest.json").read_text())
    assert manifest["weights"][0]["folder"] == f"views/{pinned().digest}"
    assert manifest["weights"][0]["files"] == [asdict(file) for file in listed(pinned())]
    assert manifest["metadata"]["model_license"] == "MIT"
    assert manifest["parameters"]["files"] == ["model.safetensors"]

    assert run("exporters.drivers.parity", PARITY, sandbox).returncode == 0
    report = json.loads((sandbox / "__out" / "parity.json").read_text())
    assert report["target"] == "exporters:m"
    assert all(0 <= each["sentence_embedding"] < 1e-5 for each in report["cases"].values())
    (sandbox / "__out" / "parity.json").unlink()
    failed = run("exporters.drivers.parity", replace(PARITY, atol=0.0, rtol=0.0), sandbox)
    assert failed.returncode == 1
    assert not (sandbox / "__out" / "parity.json").exists()
    assert "largest relative error" in failed.stdout
    assert "case(s) disagree" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_fetch_from_a_folder(sandbox: Path, tmp_path: Path) -> None:
    folder = tmp_path / "content" / "sha256"
    folder.mkdir(parents=True)
    for pin in pinned().files:
        (folder / pin.sha256).write_bytes((TINY / pin.name).read_bytes())
    request = Fetch("weights:w", None, listed(pinned()), "__cache/weights", (str(folder.parent),))
    done = run("exporters.drivers.provide", request, sandbox)
    assert (done.returncode, done.stderr) == (0, "")
    view = tmp_path / "store" / done.stdout.strip()
    pinned().verify(view)

    elsewhere = replace(request, folders=(), store="other")
    lost = run("exporters.drivers.provide", elsewhere, sandbox)
    assert lost.returncode == 1
    assert "config.json" in lost.stderr
    assert "Traceback" not in lost.stderr


@pytest.mark.parametrize("above", [0, 10**9])
def test_synthesise(sandbox: Path, tmp_path: Path, above: int) -> None:
    config = json.loads((TINY.parent / "dinov3_vit" / "config.json").read_text())
    generator = "exporters.families.dinov3.checkpoint:synthetic"
    request = Synthesise("weights:w", generator, config, 3, "__out", "__cache/weights", above)
    done = run("exporters.drivers.provide", request, sandbox)
    assert (done.returncode, done.stderr) == (0, "")
    listing = files_from_json((sandbox / "__out" / LISTING).read_text())
    assert [each.name for each in listing] == ["config.json", "model.safetensors"]
    in_store = done.stdout.strip()
    assert bool(in_store) == (above == 0)
    folder = tmp_path / "store" / in_store if in_store else sandbox / "__out"
    assert Checkpoint.open(folder).json() == config
    if in_store:
        assert not list((tmp_path / "store").glob("partial/.*.partial"))
        assert [each.name for each in (sandbox / "__out").iterdir()] == [LISTING]


@pytest.mark.parametrize("above", [0, 10**9])
def test_derive(sandbox: Path, tmp_path: Path, above: int) -> None:
    original = TINY.parent / "gpt_oss_mxfp4"
    shutil.copytree(original, sandbox / "__weights" / "0")
    files = listed(pin_folder(original, [each.name for each in original.iterdir()]))
    weights = Weights("weights:w", "MIT", "made up", files, folder="__weights/0")
    function = "exporters.families.gpt_oss.derived:int8"
    request = Derive("weights:d", function, weights, "__out", "__cache/weights", above)
    done = run("exporters.drivers.provide", request, sandbox)
    assert (done.returncode, done.stderr) == (0, "")
    in_store = done.stdout.strip()
    assert bool(in_store) == (above == 0)
    folder = tmp_path / "store" / in_store if in_store else sandbox / "__out"
    record = Checkpoint.open(folder).json()["derived_from"]
    assert record["function"] == function
    assert record["files"] == [asdict(file) for file in sorted(files)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "spec.json holds no request that this driver can perform: "),
        ("{", "spec.json holds no request that this driver can perform: the document is not"),
        (to_json(EXPORT).replace('"version": ', '"version": 9'), "version: the request is of"),
        (to_json(EXPORT).replace('"opset": 23', '"opset": "x"'), "opset: expected an integer"),
        (to_json(PARITY), "this driver performs export, not parity."),
    ],
)
def test_other_requests_are_refused_in_one_line(
    sandbox: Path, text: str | None, message: str
) -> None:
    if text is not None:
        (sandbox / "spec.json").write_text(text)
    done = start("exporters.drivers.build", "spec.json", sandbox)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert message in done.stderr
