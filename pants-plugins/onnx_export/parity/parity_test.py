"""Parity tests run as targets."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from onnx_export.testing import Repository


def test_a_model_that_agrees_passes(repository: Repository) -> None:
    result = repository.test("parity")
    assert result.exit_code == 0
    assert "some data" in result.stdout
    assert "{} weights! is compared with {} weights! on cpu" in result.stdout


def test_a_model_that_differs_fails_with_a_report(repository: Repository) -> None:
    result = repository.test("wrong")
    assert result.exit_code == 1
    assert "is compared with something else" in result.stdout


def test_a_pass_is_cached(repository: Repository) -> None:
    repository.test("parity")
    repository.use()
    repository.test("parity")
    assert repository.runs() == ["export model", "parity parity"]


def test_a_failure_is_not_cached(repository: Repository) -> None:
    repository.test("wrong")
    repository.use()
    repository.test("wrong")
    assert repository.runs() == ["export model", "parity wrong", "parity wrong"]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        pytest.param("m/ref.py", "def same", "\ndef same", id="reference"),
        pytest.param("m/data.txt", "some", "other", id="data"),
        pytest.param("m/BUILD", '"m.ref:same", data', '"m.ref:same", rtol=1, data', id="tolerance"),
    ],
)
def test_reruns_only_the_test(repository: Repository, file: str, old: str, new: str) -> None:
    repository.test("parity")
    repository.runs()
    repository.replace(file, old, new)
    repository.test("parity")
    assert repository.runs() == ["parity parity"]


def test_data_must_be_one_file(repository: Repository) -> None:
    repository.replace("m/BUILD", 'data=":data"', 'data=":repository"')
    message = repository.test("parity").stderr
    assert "'data' field of m:parity must name a target of one file" in message
    assert "m:repository is a `safetensors_weights` of 2 files" in message


def test_weights_are_fetched_for_a_test(repository: Repository) -> None:
    repository.export("of_pinned")
    repository.runs()
    shutil.rmtree(repository.weights_cache / "views")
    repository.use()
    assert repository.test("of_pinned_parity").exit_code == 0
    assert repository.runs() == ["fetch pinned", "parity of_pinned_parity"]


def test_a_model_that_cannot_be_exported_fails_its_test(repository: Repository) -> None:
    repository.write({"m/exp.py": "def export(folder, suffix): raise SystemExit('no tensor x')"})
    result = repository.test("parity")
    assert result.exit_code == 1
    assert "m:parity: Export m:model to ONNX failed." in result.stderr
    assert "no tensor x" in result.stderr
    repository.write({"m/exp.py": "import m.helper\ndef export(folder, suffix): return ''"})
    assert repository.test("parity").exit_code == 0


@pytest.mark.parametrize(
    ("file", "function", "missing"),
    [
        ("m/ref.py", "def same(folder, suffix)", "parity.json"),
        ("m/exp.py", "def export(folder, suffix)", "model.onnx and model.manifest.json"),
    ],
)
def test_code_that_ends_the_process_does_not_pass(
    repository: Repository, file: str, function: str, missing: str
) -> None:
    repository.write({file: f"import os\n{function}: os._exit(0)"})
    result = repository.test("parity")
    assert result.exit_code == 1
    assert f"ended with status 0 before it wrote {missing}" in result.stderr


def test_without_cuda_a_test_is_skipped_with_a_warning_in_every_run(
    repository: Repository, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        repository.use()
        caplog.clear()
        result = repository.test("cuda")
        assert result.exit_code is None
        (warning,) = [r.getMessage() for r in caplog.records if "SKIPPED" in r.getMessage()]
        assert warning.startswith("SKIPPED m:cuda: it needs a CUDA device, and ")
    assert repository.runs() == []


def test_libraries_are_searched_in_the_configured_folder(
    repository: Repository, tmp_path: Path
) -> None:
    (tmp_path / "libcuda.so.1").write_text("no library")
    repository.use("--onnx-export-require-cuda", LD_LIBRARY_PATH=str(tmp_path))
    assert f"{tmp_path}/libcuda.so.1: " in repository.test("cuda").stderr


def test_without_cuda_a_test_fails_where_cuda_is_required(repository: Repository) -> None:
    repository.use("--onnx-export-require-cuda")
    result = repository.test("cuda")
    assert result.exit_code == 1
    assert "m:cuda: it needs a CUDA device ([onnx-export].require_cuda)" in result.stderr
