"""The store writes atomically, verifies once, links its views, and serves many processes."""

import hashlib
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from weights import Checkpoint, SyntheticTensor, Uniform, WeightsError, write_checkpoint
from weights.files.atomic import sweep
from weights.files.pins import Pin, Pins, pin_folder
from weights.store import Store
from weights.store import place as placing
from weights.store.place import hard_link

CONTENT = b"weights" * 1000
REPOSITORY = Path(__file__).parents[2]


def pinned(content: bytes = CONTENT, name: str = "model.safetensors") -> Pin:
    return Pin(name, hashlib.sha256(content).hexdigest(), len(content))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "weights").write_bytes(CONTENT)
    return tmp_path / "weights"


def leftovers(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.name.endswith(".partial")]


def test_add_links(store: Store, file: Path) -> None:
    assert store.find(pinned()) is None
    found = store.add(file, pinned())
    assert found == store.root / "sha256" / pinned().sha256 == store.find(pinned())
    assert found.samefile(file)
    assert store.add(file, pinned()) == found


def test_add_follows_a_symbolic_link(store: Store, file: Path) -> None:
    """The caches of a hub hold symbolic links to files."""
    (file.parent / "link").symlink_to(file)
    found = store.add(file.parent / "link", pinned())
    assert not found.is_symlink()
    assert found.samefile(file)


def test_add_copies_where_links_are_impossible(
    store: Store, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    found = store.add(file, pinned())
    assert found.read_bytes() == CONTENT
    assert not found.samefile(file)
    with pytest.raises(WeightsError, match="cannot be made a hard link"):
        store.view(Pins((pinned(),)))


@pytest.mark.parametrize("link", [True, False])
def test_add_checks(store: Store, file: Path, link: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not link:
        monkeypatch.setattr(placing, "hard_link", lambda *_: False)
    wrong = pinned(b"x" * len(CONTENT))
    with pytest.raises(WeightsError, match=f"{file} has sha256 .* is pinned"):
        store.add(file, wrong)
    assert not store.path(wrong).exists()
    assert leftovers(store.root) == []


def test_a_copy_is_checked_as_it_is_written(
    store: Store, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file may change between the check and the copy, so the copy itself is verified."""
    monkeypatch.setattr(placing, "check_file", lambda *_: None)
    monkeypatch.setattr(placing, "hard_link", lambda *_: False)
    wrong = pinned(b"x" * len(CONTENT))
    with pytest.raises(WeightsError, match=f"{file} has sha256 .* is pinned"):
        store.add(file, wrong)
    assert not store.path(wrong).exists()
    assert leftovers(store.root) == []


def test_verified_once(store: Store, file: Path) -> None:
    store.add(file, pinned())
    counts: list[int] = []
    store.find(pinned(), counts.append)
    assert counts == []
    os.utime(file, ns=(0, 0))
    store.find(pinned(), counts.append)
    assert sum(counts) == len(CONTENT)
    store.find(pinned(), counts.append)
    assert sum(counts) == len(CONTENT)


def test_a_file_changed_while_it_is_added(
    store: Store, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change between verification and the link is noticed."""

    def link_and_change(source: Path, target: Path) -> bool:
        linked = hard_link(source, target)
        file.write_bytes(b"x" * len(CONTENT))
        os.utime(file, ns=(1, 1))
        return linked

    monkeypatch.setattr(placing, "hard_link", link_and_change)
    with pytest.raises(WeightsError, match=r"weights was changed while it was read"):
        store.add(file, pinned())
    assert store.find(pinned()) is None


def test_a_change_that_keeps_size_and_time(store: Store, file: Path) -> None:
    store.add(file, pinned())
    view = store.view(Pins((pinned(),)))
    before = file.stat()
    counts: list[int] = []
    store.view(Pins((pinned(),)), counts.append)
    assert counts == []  # a link of the store's own does not count
    (view / "model.safetensors").write_bytes(b"W" + CONTENT[1:])
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(WeightsError, match="the store is corrupt"):
        store.view(Pins((pinned(),)))


def test_a_stored_file_that_was_changed(store: Store, file: Path) -> None:
    store.add(file, pinned())
    file.write_bytes(b"x" * len(CONTENT))
    with pytest.raises(WeightsError, match=r"the store is corrupt: .* has sha256 .* Remove") as e:
        store.find(pinned())
    assert str(store.path(pinned())) in str(e.value)
    store.path(pinned()).unlink()
    assert store.find(pinned()) is None


def test_view(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "c"
    tensor = SyntheticTensor("F32", (4, 4), Uniform(1.0))
    pins = write_checkpoint(folder, {"a": 1}, {"w": tensor}, 0)
    for pin in pins.files:
        store.add(folder / pin.name, pin)
    view = store.view(pins)
    assert view.parent == store.root / "views"
    assert sorted(file.name for file in view.iterdir()) == ["config.json", "model.safetensors"]
    assert not any(file.is_symlink() for file in view.iterdir())
    assert Checkpoint.open(view).json() == {"a": 1}
    assert store.view(pins) == view
    # Another store of the same files gives another folder of the same name.
    assert Store(tmp_path / "other").root / "views" / pins.digest != view


def test_view_is_mended(store: Store, file: Path) -> None:
    store.add(file, pinned())
    pins = Pins((pinned(),))
    view = store.view(pins)
    (view / "model.safetensors").unlink()
    (view / "model.safetensors").write_bytes(b"something else")
    assert (store.view(pins) / "model.safetensors").read_bytes() == CONTENT
    assert leftovers(store.root) == []


def test_view_of_what_is_missing(store: Store) -> None:
    with pytest.raises(WeightsError, match=r"does not hold a\.json, model\.safetensors\. Fetch"):
        store.view(Pins((pinned(), pinned(b"{}", "a.json"))))
    assert not store.root.exists()


def test_onnx_runtime_reads_a_view(store: Store, tmp_path: Path) -> None:
    """ONNX Runtime finds external data in a view by file name, without copies or symbolic links."""
    tensor = SyntheticTensor("F32", (3, 4), Uniform(1.0))
    pins = write_checkpoint(tmp_path / "c", {}, {"w": tensor}, 0)
    for pin in pins.files:
        store.add(tmp_path / "c" / pin.name, pin)
    view = store.view(pins)
    info = Checkpoint.open(view).tensors["w"]
    weight = onnx.TensorProto(name="w", dims=info.shape, data_type=onnx.TensorProto.FLOAT)
    weight.data_location = onnx.TensorProto.EXTERNAL
    place = {"location": info.file.name, "offset": info.offset, "length": info.nbytes}
    for key, value in place.items():
        weight.external_data.add(key=key, value=str(value))
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Gemm", ["x", "w"], ["y"], transB=1)],
        "g",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 4])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 3])],
        [weight],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 21)])
    model.ir_version = 10
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry(
        "session.model_external_initializers_file_folder_path", str(view)
    )
    session = onnxruntime.InferenceSession(
        tmp_path / "m.onnx", options, providers=["CPUExecutionProvider"]
    )
    x = np.arange(4, dtype=np.float32)[None]
    (y,) = session.run(None, {"x": x})
    np.testing.assert_allclose(y, x @ Checkpoint.open(view).read("w").T, rtol=1e-6)


def test_scratch_and_adopt(store: Store) -> None:
    tensors = {"w": SyntheticTensor("F32", (1000,), Uniform(1.0))}
    with store.scratch() as scratch:
        pins = write_checkpoint(scratch / "c", {}, tensors, 0)
        store.adopt(scratch / "c", pins)
    assert not scratch.exists()
    view = store.view(pins)
    pins.verify(view)
    assert pin_folder(view, [pin.name for pin in pins.files]).files == pins.files
    with store.scratch() as scratch:
        store.adopt(scratch, pins)  # Existing files are not moved again.
    assert (store.view(pins) / "config.json").samefile(view / "config.json")


def test_scratch_of_a_killed_process_is_swept_and_that_of_a_living_one_is_not(store: Store) -> None:
    program = (
        "import os, signal\n"
        "from pathlib import Path\n"
        "from weights.store import Store\n"
        f"with Store(Path({str(store.root)!r})).scratch() as folder:\n"
        "    (folder / 'large').touch()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    with store.scratch() as mine:
        done = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, check=False)
        assert done.returncode == -signal.SIGKILL
        (killed,) = set(store.root.glob("partial/.*.partial")) - {mine}
        with store.scratch():  # The store cannot tell whether the other owners live.
            assert killed.is_dir()
            assert mine.is_dir()
    with store.scratch() as last:
        assert list(store.root.glob("partial/.*.partial")) == [last]


def test_receiving_is_continued(store: Store) -> None:
    with store.receiving(pinned()) as stream:
        assert stream is not None
        stream.write(CONTENT[:10])
    with store.receiving(pinned()) as stream:
        assert stream is not None
        assert stream.read() == CONTENT[:10]
        stream.write(CONTENT[10:])
        store.keep(pinned(), stream)
    with store.receiving(pinned()) as stream:
        assert stream is None
    assert store.path(pinned()).read_bytes() == CONTENT


WORKER = """
import sys
from pathlib import Path
from weights.files.pins import Pin, Pins
from weights.store import Store
store, file = Store(Path(sys.argv[1])), Path(sys.argv[2])
pin = Pin("model.safetensors", sys.argv[3], int(sys.argv[4]))
with store.receiving(pin) as stream:
    if stream is not None:
        done = stream.read()
        print(f"had {len(done)}", flush=True)
        stream.write(file.read_bytes()[len(done):])
        store.keep(pin, stream)
view = store.view(Pins((pin,)))
assert (view / pin.name).read_bytes() == file.read_bytes()
"""


def test_processes_at_once(store: Store, file: Path) -> None:
    """Of six processes that want a file, one receives it, all see it, and nothing else remains."""
    pin = pinned()
    command = [sys.executable, "-c", WORKER]
    arguments = [str(store.root), str(file), pin.sha256, str(pin.size)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    workers = [
        subprocess.Popen([*command, *arguments], env=environment, stdout=subprocess.PIPE)
        for _ in range(6)
    ]
    outputs = [worker.communicate()[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * 6
    assert sorted(outputs) == [b""] * 5 + [b"had 0\n"]
    assert leftovers(store.root) == []
    assert list((store.root / "partial").iterdir()) == []


def test_full_disk(store: Store, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placing, "hard_link", lambda *_: False)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(WeightsError, match="write to another disk"):
            store.add(file, pinned())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not store.path(pinned()).exists()
    assert leftovers(store.root) == []


def test_interrupt(store: Store, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(placing, "hard_link", lambda *_: False)
    monkeypatch.setattr(placing, "check_file", lambda *_: None)
    monkeypatch.setattr(placing, "silent", interrupt)
    with pytest.raises(KeyboardInterrupt):
        placing.place(file, store.path(pinned()), pinned(), progress=_at_second(interrupt))
    assert not store.path(pinned()).exists()
    assert leftovers(store.root) == []


def _at_second(interrupt: Callable[[int], None]) -> Callable[[int], None]:
    """Return a progress callback that calls ``interrupt`` from its second call on."""
    calls: list[int] = []

    def advance(count: int) -> None:
        calls.append(count)
        if len(calls) > 1:
            interrupt(count)

    return advance


def test_leftovers_of_killed_processes(tmp_path: Path) -> None:
    for name in (".old.partial", ".new.partial", "kept.partial"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / ".folder.partial").mkdir()
    for name in (".old.partial", "kept.partial", ".folder.partial"):
        os.utime(tmp_path / name, (0, 0))
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".new.partial", "kept.partial"]
