"""Tests of the results of exports, and of the changes that make Pants run an export again."""

from __future__ import annotations

from pathlib import Path

import pytest

from onnx_export.testing import Repository


def test_model_is_exported_from_its_weights(repository: Repository) -> None:
    assert repository.export() == "{} weights!"


def test_request_names_weights_with_digest_licence_and_source(repository: Repository) -> None:
    weights = repository.manifest()["request"]["weights"]
    assert (weights["licence"], weights["source"]) == ("Apache-2.0", "a test")
    assert [(file["name"], file["size"]) for file in weights["files"]] == [
        ("config.json", 2),
        ("model.safetensors", 7),
    ]


def test_the_process_does_not_see_the_users_environment(repository: Repository) -> None:
    repository.use(HOME="/nowhere", SECRET="s")
    assert repository.manifest()["environment"].keys() <= {
        *("JAX_PLATFORMS", "LC_ALL", "LC_CTYPE", "PATH", "PWD", "PYTHONHASHSEED", "PYTHONPATH"),
        *("SHLVL", "TZ", "_", "OLDPWD"),
    }


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        pytest.param("m/exp.py", "suffix", "ending", id="exporter"),
        pytest.param("m/helper.py", "#", "##", id="import of the exporter"),
        pytest.param("m/build.py", "log()", "log()  #", id="driver"),
        pytest.param("m/tiny/model.safetensors", "weights", "others", id="weights"),
        pytest.param("m/BUILD", '"suffix": "!"', '"suffix": "?"', id="options"),
        pytest.param("m/BUILD", "**_MODEL", "opset=18, **_MODEL", id="opset"),
        pytest.param("m/BUILD", "Apache-2.0", "MIT", id="licence"),
    ],
)
def test_invalidates(repository: Repository, file: str, old: str, new: str) -> None:
    repository.export()
    repository.runs()
    if new == "ending":
        repository.replace("m/BUILD", '"suffix"', '"ending"')
    repository.replace(file, old, new)
    repository.export()
    assert repository.runs() == ["export model"]


def test_lock_invalidates(repository: Repository) -> None:
    repository.write({"3rdparty/export.lock": "tiny==1.0\n"})
    repository.export()
    repository.write({"3rdparty/export.lock": "tiny==2.0\n"})
    repository.export()
    assert repository.runs() == ["export model", "export model"]


def test_an_earlier_state_is_taken_from_the_cache(repository: Repository) -> None:
    repository.export()
    repository.replace("m/tiny/model.safetensors", "weights", "others")
    repository.export()
    repository.replace("m/tiny/model.safetensors", "others", "weights")
    assert repository.export() == "{} weights!"
    assert repository.runs() == ["export model"] * 2


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        pytest.param("m/unrelated.py", "", "x = 1", id="another module"),
        pytest.param("m/parity.py", "log()", "log()  #", id="parity driver"),
        pytest.param("m/ref.py", "def same", "\ndef same", id="reference"),
        pytest.param("m/provide.py", "log()", "log()  #", id="weights driver"),
        pytest.param("m/BUILD", "python_sources()", "# hello\npython_sources()", id="comment"),
        pytest.param("m/data.txt", "some", "other", id="data of a test"),
        pytest.param("3rdparty/export.lock", "", "# hello\n", id="comment in the lock"),
    ],
)
def test_does_not_invalidate(repository: Repository, file: str, old: str, new: str) -> None:
    repository.export()
    repository.runs()
    repository.replace(file, old, new)
    repository.export()
    assert repository.runs() == []


def test_another_checkout_home_and_path_share_the_cache(
    repository: Repository, caches: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    repository.export()
    repository.runs()
    other = Repository(caches)
    other.reset(salt=request.node.name)
    other.use(HOME=str(tmp_path), PATH="/bin:/usr/bin", LANG="C", TZ="Asia/Tokyo")
    assert other.runner.build_root != repository.runner.build_root
    assert other.export() == "{} weights!"
    assert other.runs() == []


def test_a_lost_environment_is_set_up_again(repository: Repository, caches: Path) -> None:
    repository.export()
    for link in (caches / "named" / "onnx_runtimes").iterdir():
        link.unlink()
    repository.replace("m/exp.py", "import m.helper", "import m.helper  #")
    repository.export()
    assert repository.runs() == ["export model"] * 2


def test_a_message_of_the_process_is_the_error(repository: Repository) -> None:
    repository.write({"m/exp.py": "def export(folder, suffix): raise SystemExit('no tensor x')"})
    assert repository.refusal() == "Export m:model to ONNX failed.\n\nno tensor x"


def test_a_failure_is_not_cached(repository: Repository) -> None:
    repository.write({"m/exp.py": "def export(folder, suffix): raise SystemExit('no tensor x')"})
    for _ in range(2):
        repository.use()
        repository.refusal()
    assert repository.runs() == ["export model"] * 2


def test_an_unknown_resolve_is_named_with_the_field(repository: Repository) -> None:
    repository.replace("m/BUILD", 'exporter="m', 'resolve="nope", exporter="m')
    message = repository.refusal()
    assert message.startswith("The 'resolve' field of m:model ")
    assert "'nope'" in message
    assert message.endswith("has only: export, wheel.")


def test_weights_of_another_kind_are_refused(repository: Repository) -> None:
    repository.replace("m/BUILD", 'weights=":repository"', 'weights=":of_pinned"')
    assert repository.refusal().startswith(
        "The 'weights' field of m:model names m:of_pinned, which is a `onnx_model` target."
    )


def test_a_driver_that_is_nowhere_names_the_package_that_has_it(repository: Repository) -> None:
    repository.use(driver="exporters.drivers.build")
    message = repository.refusal()
    assert "no module exporters.drivers.build" in message
    assert "Add `onnx-exporters` to its requirements" in message
