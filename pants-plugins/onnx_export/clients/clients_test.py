"""Client tests run where the client is installed, on the folder that a user gets."""

from __future__ import annotations

import shutil
from hashlib import sha256

import pytest

from onnx_export.testing import Repository


def test_a_client_sees_the_folder_in_its_layout(repository: Repository) -> None:
    repository.install_client("onnxruntime")
    result = repository.test_client("client")
    assert result.exit_code == 0, result.stderr
    assert "onnxruntime sees config.json onnx/model.manifest.json onnx/model.onnx " in result.stdout
    assert "onnx/model.safetensors" in result.stdout
    assert repository.runs() == ["export hub", "cases hub"]


def test_a_pass_is_cached_and_a_failure_is_not(repository: Repository) -> None:
    repository.install_client("onnxruntime")
    repository.test_client("client")
    repository.use()
    repository.test_client("client")
    assert repository.runs() == ["export hub", "cases hub"]
    repository.replace("m/BUILD", 'layout="hub"', 'layout="hub", options={"suffix": "!"}')
    repository.replace("m/ref.py", "**options)", 'suffix="?")')
    result = repository.test_client("client")
    assert result.exit_code == 1
    assert "it differs" in result.stderr


def test_weights_by_reference_are_linked_to_their_places(repository: Repository) -> None:
    repository.install_client("torch")
    repository.export("of_pinned")
    store = repository.weights_cache / "sha256"
    store.mkdir(exist_ok=True)
    for view in (repository.weights_cache / "views").iterdir():
        for file in view.iterdir():
            content = file.read_bytes()
            (store / sha256(content).hexdigest()).write_bytes(content)
    result = repository.test_client("linked")
    assert result.exit_code == 0, result.stderr
    assert "optimum sees of_pinned.manifest.json of_pinned.onnx w" in result.stdout
    shutil.rmtree(store)
    repository.use("--test-force")
    result = repository.test_client("linked")
    assert result.exit_code == 1
    assert "weights are not on this machine" in result.stderr


def test_a_client_that_is_not_installed_is_skipped_or_required(
    repository: Repository, caplog: pytest.LogCaptureFixture
) -> None:
    repository.install_client("onnxruntime")
    repository.write({"3rdparty/python/client-onnxruntime.lock": "onnxruntime==2\n"})
    assert repository.test_client("client").exit_code is None
    reason = (
        "it needs onnxruntime, and the packages of 3rdparty/python/client-onnxruntime.lock are not "
        "installed on this machine. Install them: build-support/install_clients onnxruntime"
    )
    assert f"SKIPPED m:client: {reason}" in [each.getMessage() for each in caplog.records]
    repository.use("--onnx-export-required-clients=['onnxruntime']")
    result = repository.test_client("client")
    assert result.exit_code == 1
    assert "it needs onnxruntime ([onnx-export].required_clients), and the packages" in (
        result.stderr
    )
    assert repository.runs() == []
