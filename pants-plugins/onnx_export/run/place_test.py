"""``run`` and ``package`` write the right files to the right places."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pants.core.goals.run import RunRequest

from onnx_export.models.export import OnnxModelFieldSet
from onnx_export.run import place
from onnx_export.testing import PINNED, Repository

SUMMARY = """\
def render(manifest, artifact, *, weights_folder=None, cached=None):
    return f"{artifact} of {manifest['name']}, weights {weights_folder}, cached {cached}\\n"
"""


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class Sandbox:
    """The arguments that the build passes to the script, and a repository to run it in."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self.sandbox = folder / "sandbox"
        self.root.mkdir()
        self.request: dict[str, Any] = {
            "target": "m:model",
            "into": "dist",
            "files": "files",
            "folder": "m/model",
            "artifact": "model.onnx",
            "manifest": "model.manifest.json",
            "cached": False,
            "weights": {"w.safetensors": _sha256("weights")},
            "places": {"w.safetensors": "w.safetensors"},
            "weights_size": 7,
            "weights_target": "m:weights",
            "weights_built": True,
            "repository_folder": None,
            "store": "store",
            "lay_up_to": 100,
        }
        manifest = json.dumps({"name": "model", "weights": [{"folder": "views/1"}]})
        self.request["digests"] = {
            "model.onnx": _sha256("the model"),
            "model.manifest.json": _sha256(manifest),
        }
        self.write("files/m/model/model.onnx", "the model")
        self.write("files/m/model/model.manifest.json", manifest)
        self.write("summary.py", SUMMARY)

    def write(self, path: str, text: str) -> Path:
        file = self.sandbox / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def by_reference(self, size: int) -> None:
        self.request.update(weights_built=False, weights_size=size)

    def run(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        self.write("__request.json", json.dumps(self.request))
        return subprocess.run(
            [sys.executable, "-IB", place.__file__, str(self.sandbox), *arguments],
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
            **options,
        )

    def laid(self) -> dict[str, str]:
        files = sorted(path for path in self.root.rglob("*") if path.is_file())
        return {str(path.relative_to(self.root)): path.read_text() for path in files}


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    sandbox = Sandbox(tmp_path)
    sandbox.write("files/m/model/w.safetensors", "weights")
    return sandbox


MODEL = {"dist/m/model/model.onnx", "dist/m/model/model.manifest.json"}


def test_small_weights_are_put_beside_the_artifact(sandbox: Sandbox) -> None:
    done = sandbox.run()
    assert done.stdout == "dist/m/model/model.onnx of model, weights None, cached False\n"
    assert sandbox.laid().keys() == {*MODEL, "dist/m/model/w.safetensors"}


def test_files_in_place_are_not_written_again(sandbox: Sandbox) -> None:
    sandbox.run()
    files = [sandbox.root / name for name in sandbox.laid()]
    before = [file.stat() for file in files]
    sandbox.run()
    assert [file.stat().st_mtime_ns for file in files] == [stat.st_mtime_ns for stat in before]
    assert [file.stat().st_ino for file in files] == [stat.st_ino for stat in before]


@pytest.mark.parametrize("text", ["another", "longer than before"])
def test_files_that_differ_are_replaced(sandbox: Sandbox, text: str) -> None:
    sandbox.run()
    (sandbox.root / "dist/m/model/w.safetensors").write_text(text)
    sandbox.run()
    assert sandbox.laid()["dist/m/model/w.safetensors"] == "weights"


@pytest.mark.parametrize(
    ("file", "remedy"),
    [
        ("w.safetensors", "./pants run m:weights"),
        ("model.onnx", "Remove the folder lmdb_store"),
        ("model.manifest.json", "Remove the folder lmdb_store"),
    ],
)
@pytest.mark.parametrize("arguments", [(), ("--materialize", "release")])
def test_a_file_that_was_damaged_in_a_cache_is_not_delivered(
    sandbox: Sandbox, file: str, remedy: str, arguments: tuple[str, ...]
) -> None:
    damaged = sandbox.sandbox / "files/m/model" / file
    damaged.write_text(damaged.read_text().replace("e", "f"))
    done = sandbox.run(*arguments)
    assert done.returncode == 1
    assert f"{file} was not written, because its source is damaged" in done.stderr
    assert remedy in done.stderr
    assert sandbox.laid() == {}


# The script ends when it is about to change the folder for the given time.
_KILLED = """
import os, runpy, sys
from pathlib import Path
countdown = int(sys.argv.pop(1))
def killing(change):
    def changed(*arguments, **options):
        global countdown
        countdown -= 1
        if not countdown:
            os._exit(9)
        return change(*arguments, **options)
    return changed
Path.replace, Path.unlink = killing(Path.replace), killing(Path.unlink)
runpy.run_path(sys.argv[1], run_name="__main__")
"""


@pytest.mark.parametrize("count", range(1, 15))
def test_files_belong_together_whenever_the_script_is_killed(sandbox: Sandbox, count: int) -> None:
    sandbox.run()
    old = sandbox.laid()
    sandbox.write("files/m/model/w.safetensors", "others!")
    sandbox.write("files/m/model/model.onnx", "another")
    manifest = json.dumps({"name": "another", "weights": []})
    sandbox.write("files/m/model/model.manifest.json", manifest)
    sandbox.request["weights"] = {"w.safetensors": _sha256("others!")}
    sandbox.request["digests"] = {
        "model.onnx": _sha256("another"),
        "model.manifest.json": _sha256(manifest),
    }
    sandbox.write("__request.json", json.dumps(sandbox.request))
    command = [sys.executable, "-c", _KILLED, str(count), place.__file__, str(sandbox.sandbox)]
    subprocess.run(command, cwd=sandbox.root, check=False, capture_output=True)
    found = {name: text for name, text in sandbox.laid().items() if "partial" not in name}
    assert sandbox.run().returncode == 0
    new = sandbox.laid()  # nothing of the killed script is left
    assert new["dist/m/model/model.onnx"] == "another"
    assert new.keys() == old.keys()
    folder = "dist/m/model/"
    for laid in (old, new):  # an artifact has its weights, and a manifest has its artifact
        if found.get(f"{folder}model.manifest.json") == laid[f"{folder}model.manifest.json"]:
            assert found == laid
        if found.get(f"{folder}model.onnx") == laid[f"{folder}model.onnx"]:
            assert found[f"{folder}w.safetensors"] == laid[f"{folder}w.safetensors"]


def test_copies_are_independent_of_the_build(sandbox: Sandbox) -> None:
    sandbox.run()
    assert (sandbox.root / "dist/m/model/w.safetensors").stat().st_nlink == 1


def test_large_weights_by_reference_are_not_moved(sandbox: Sandbox) -> None:
    sandbox.by_reference(size=101)
    weights = sandbox.write("store/views/1/w.safetensors", "weights")
    done = sandbox.run()
    assert f"weights {weights.parent}, cached" in done.stdout
    assert sandbox.laid().keys() == MODEL


def test_small_weights_by_reference_are_put_beside_the_artifact(sandbox: Sandbox) -> None:
    sandbox.by_reference(size=100)
    sandbox.write("store/views/1/w.safetensors", "weights")
    assert "weights None" in sandbox.run().stdout
    assert sandbox.laid().keys() == {*MODEL, "dist/m/model/w.safetensors"}


def test_large_weights_in_the_repository_are_not_moved(sandbox: Sandbox) -> None:
    sandbox.by_reference(size=101)
    sandbox.request["repository_folder"] = "weights/large"
    (sandbox.root / "weights/large").mkdir(parents=True)
    done = sandbox.run()
    assert f"weights {sandbox.root}/weights/large, cached" in done.stdout


def test_weights_of_an_older_model_are_removed(sandbox: Sandbox) -> None:
    sandbox.run()
    sandbox.by_reference(size=101)
    sandbox.write("store/views/1/w.safetensors", "weights")
    sandbox.run()
    assert sandbox.laid().keys() == MODEL


def test_an_artifact_is_written_without_its_absent_weights(sandbox: Sandbox) -> None:
    sandbox.by_reference(size=7)
    done = sandbox.run()
    assert done.returncode == 0
    assert "not on this machine now" in done.stdout
    assert "./pants run m:weights" in done.stdout


@pytest.mark.parametrize("size", [7, 101])
def test_materialize_makes_a_complete_folder_of_any_size(sandbox: Sandbox, size: int) -> None:
    sandbox.by_reference(size)
    weights = sandbox.write("store/views/1/w.safetensors", "weights")
    done = sandbox.run("--materialize", "complete")
    assert done.stdout.startswith("complete/model.onnx of model, weights None")
    assert sandbox.laid() == {
        "complete/model.onnx": "the model",
        "complete/model.manifest.json": (
            sandbox.sandbox / "files/m/model/model.manifest.json"
        ).read_text(),
        "complete/w.safetensors": weights.read_text(),
    }


def test_materialize_without_weights_says_how_to_fetch_them(sandbox: Sandbox) -> None:
    sandbox.by_reference(size=101)
    done = sandbox.run("--materialize", "complete")
    assert done.returncode == 1
    assert "./pants run m:weights" in done.stderr
    assert "Traceback" not in done.stderr
    assert sandbox.laid() == {}


@pytest.mark.parametrize("name", ["model.onnx", "model.manifest.json", "w.safetensors"])
def test_materialize_does_not_replace_a_users_file(sandbox: Sandbox, name: str) -> None:
    mine = sandbox.root / "whole" / name
    mine.parent.mkdir()
    mine.write_text("my own")
    done = sandbox.run("--materialize", "whole")
    assert done.returncode == 1
    assert f"whole/{name} exists already and is another file. Remove it" in done.stderr
    assert mine.read_text() == "my own"
    assert [file.name for file in mine.parent.iterdir()] == [name]
    mine.unlink()
    for _ in range(2):  # Its own files may exist already.
        assert sandbox.run("--materialize", "whole").returncode == 0


@pytest.mark.parametrize("folder", ["file", "file/folder"])
def test_materialize_into_a_file_is_refused(sandbox: Sandbox, folder: str) -> None:
    (sandbox.root / "file").write_text("my own")
    done = sandbox.run("--materialize", folder)
    assert done.returncode == 1
    assert f"{folder} cannot be written: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_full_disk_leaves_no_partial_file(sandbox: Sandbox) -> None:
    sandbox.write("files/m/model/w.safetensors", "w" * 10_000)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, 5_000))

    done = sandbox.run(preexec_fn=limit)
    assert done.returncode == 1
    assert "w.safetensors cannot be written" in done.stderr
    assert os.strerror(errno.EFBIG) in done.stderr
    assert sandbox.laid() == {}


def test_package_writes_artifact_manifest_and_weights(repository: Repository) -> None:
    package = repository.package("model")
    assert {artifact.relpath for artifact in package.artifacts} == {
        "m/model/config.json",
        "m/model/model.manifest.json",
        "m/model/model.onnx",
        "m/model/model.safetensors",
    }
    assert set(repository.contents(package.digest)) == {a.relpath for a in package.artifacts}


def test_package_does_not_write_what_is_damaged(sandbox: Sandbox) -> None:
    sandbox.request = {"check": {"files/m/model/w.safetensors": _sha256("weights")}}
    sandbox.write("__request.json", json.dumps(sandbox.request))
    assert sandbox.run().returncode == 0
    sandbox.write("files/m/model/w.safetensors", "weighty")
    done = sandbox.run()
    assert done.returncode == 1
    assert "w.safetensors was not written, because its source is damaged" in done.stderr


def test_package_places_files_in_the_layout(repository: Repository) -> None:
    repository.replace("m/BUILD", '"tiny/*"', '"tiny/**"')
    repository.write({"m/tiny/1_Pooling/config.json": "{}"})
    package = repository.package("hub")
    assert set(repository.contents(package.digest)) == {
        "m/hub/1_Pooling/config.json",
        "m/hub/config.json",
        "m/hub/onnx/model.manifest.json",
        "m/hub/onnx/model.onnx",
        "m/hub/onnx/model.safetensors",
    }
    assert repository.manifest("hub")["request"]["layout"] == "hub"


@pytest.mark.parametrize("built", [True, False])
@pytest.mark.parametrize("materialize", [True, False])
def test_files_are_placed_in_the_layout(sandbox: Sandbox, built: bool, materialize: bool) -> None:
    """They may be in the build's result, at their places, or in the store, under their names."""
    places = {
        "w.safetensors": "onnx/w.safetensors",
        "1_Pooling/config.json": "1_Pooling/config.json",
    }
    own = ("onnx/model.onnx", "onnx/model.manifest.json")
    request = sandbox.request
    request["weights"]["1_Pooling/config.json"] = _sha256("{}")
    request.update(artifact=own[0], manifest=own[1], places=places, weights_built=built)
    request["digests"] = {f"onnx/{name}": sha for name, sha in request["digests"].items()}
    for name in own:
        text = (sandbox.sandbox / "files/m/model" / Path(name).name).read_text()
        sandbox.write(f"files/m/model/{name}", text)
    for name, text in (("w.safetensors", "weights"), ("1_Pooling/config.json", "{}")):
        sandbox.write(f"files/m/model/{places[name]}" if built else f"store/views/1/{name}", text)
    done = sandbox.run(*(["--materialize", "whole"] if materialize else []))
    assert done.returncode == 0, done.stderr
    folder = "whole" if materialize else "dist/m/model"
    assert done.stdout.startswith(f"{folder}/onnx/model.onnx of model, weights None")
    assert sandbox.laid().keys() == {f"{folder}/{name}" for name in (*own, *places.values())}


def test_package_does_not_move_weights_by_reference(repository: Repository) -> None:
    package = repository.package("of_large")
    assert {artifact.relpath for artifact in package.artifacts} == {
        "m/of_large/of_large.manifest.json",
        "m/of_large/of_large.onnx",
    }
    (note,) = [line for artifact in package.artifacts for line in artifact.extra_log_lines]
    assert "--materialize DIR" in note


def test_run_says_whether_the_artifact_comes_from_the_cache(repository: Repository) -> None:
    for cached in (False, True):
        repository.use()
        request = repository.runner.request(
            RunRequest, [repository.field_set(OnnxModelFieldSet, "of_pinned")]
        )
        described = json.loads(repository.contents(request.digest)["__request.json"])
        assert described["cached"] is cached
        assert described["weights_size"] == len(PINNED)
