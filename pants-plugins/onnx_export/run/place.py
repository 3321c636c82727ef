"""The script that ``./pants run`` ends with: it lays files out and describes them.

It runs in the interpreter of Pants, in the root of the repository, so it imports the standard
library alone. Its request is the file ``__request.json`` in the sandbox, which is the first
argument. ``onnx_export.run.models`` and ``onnx_export.run.weights`` write it.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import fcntl
import hashlib
import importlib
import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

_CHUNK = 1 << 22
_PATIENCE_SECONDS = 2.0
_IN_CACHE = "in the cache of the build, and beside each model that is made from these weights"


class PlaceError(Exception):
    """A mistake of the user. The message says what is wrong, where, and what to do about it."""


def main(arguments: list[str]) -> int:
    """Perform the request in the sandbox, and return the exit status."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # and not ignored, as under nohup
            signal.signal(number, _interrupt)
    sandbox = Path(arguments[0])
    request: dict[str, Any] = json.loads((sandbox / "__request.json").read_text())
    try:
        action = _model if "artifact" in request else _check if "check" in request else _weights
        action(sandbox, request, arguments[1:])
    except PlaceError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted: no unfinished file was left behind.", file=sys.stderr)
        return 130
    return 0


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _model(sandbox: Path, request: dict[str, Any], arguments: list[str]) -> None:
    options = _parser(request["target"]).parse_args(arguments)
    built = sandbox / request["files"] / request["folder"]
    manifest = json.loads(_intact(built, request["manifest"], request))
    origin = _folder_of_weights(sandbox, request, manifest)
    if options.materialize is not None:
        into, beside = options.materialize, True
    else:
        into = Path(request["into"], request["folder"])
        small = request["weights_size"] <= request["lay_up_to"]
        beside = request["weights_built"] or (small and origin.is_dir())

    places = request["places"]
    weights = [
        (origin / (places[name] if request["weights_built"] else name), into / places[name], sha)
        for name, sha in request["weights"].items()
    ]
    own = [
        (built / file, into / file, request["digests"][file])
        for file in (request["artifact"], request["manifest"])
    ]
    if options.materialize is not None:
        _refuse_others({place: source for source, place, _ in [*own, *weights]})
    artifact = into / request["artifact"]
    old = [] if beside or origin.resolve() == into.resolve() else [file for _, file, _ in weights]
    _deliver(into, [*(weights if beside else []), *own], old, request)

    sys.path.insert(0, str(sandbox))
    summary = importlib.import_module("summary")
    print(
        summary.render(
            manifest,
            artifact,
            weights_folder=None if beside else origin.resolve(),
            cached=request["cached"],
        ),
        end="",
    )
    if not beside and not origin.is_dir():
        print(
            f"\n  These weights are not on this machine now. To bring them here:"
            f"\n\n      ./pants run {request['weights_target']}"
        )


def _check(sandbox: Path, request: dict[str, Any], _: list[str]) -> None:
    """Check the files that the ``package`` goal is about to write, whose digests are known."""
    for name, sha256 in request["check"].items():
        found = _digest(sandbox / name)
        if found != sha256:
            raise _damaged(Path(name), sandbox / name, found, sha256, request)


def _weights(sandbox: Path, request: dict[str, Any], arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog=f"./pants run {request['target']} --")
    parser.parse_args(arguments)
    folder = (sandbox / request["folder"]).resolve() if request["store"] else request["folder"]
    rows = [
        ("size", f"{sum(file['size'] for file in request['files']):,} bytes"),
        ("licence", request["licence"]),
        ("source", request["source"]),
        ("folder", f"{folder}{os.sep}" if folder else _IN_CACHE),
    ]
    print(request["target"])
    print("\n".join(f"  {label:<8} {text}" for label, text in rows), end="\n\n")
    for file in request["files"]:
        print(f"  {file['sha256']}  {file['size']:>15,}  {file['name']}")


def _parser(target: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"./pants run {target} --",
        description="Write the model, its manifest and its weights (if small) into dist/.",
    )
    parser.add_argument(
        "--materialize",
        metavar="DIR",
        type=Path,
        help="write a complete folder instead: the model with its weights, whatever their size",
    )
    return parser


def _folder_of_weights(sandbox: Path, request: dict[str, Any], manifest: dict[str, Any]) -> Path:
    """Return the folder of the weights: in the build's result, the repository, or the store."""
    if request["weights_built"]:
        return sandbox.joinpath(request["files"], request["folder"])
    if request["repository_folder"] is not None:
        return Path(request["repository_folder"]).absolute()
    return sandbox.joinpath(request["store"], manifest["weights"][0]["folder"])


def _refuse_others(files: dict[Path, Path]) -> None:
    """Raise an error if a file would be replaced: the folder is the user's, and not ``dist/``."""
    for destination, source in files.items():
        if destination.exists() and not (source.is_file() and _same(source, destination)):
            raise PlaceError(
                f"{destination} exists already and is another file. Remove it, or choose another "
                "folder. Nothing was written."
            )


def _intact(built: Path, name: str, request: dict[str, Any]) -> bytes:
    """Return the content of a small file of the build, after comparing it with its digest."""
    content = (built / name).read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != request["digests"][name]:
        raise _damaged(Path(name), built / name, found, request["digests"][name], request)
    return content


def _deliver(
    folder: Path,
    files: Sequence[tuple[Path, Path, str]],
    old: Sequence[Path],
    request: dict[str, Any],
) -> None:
    """Write files of known digests, all of them or none.

    Files in one folder always belong together, even if the process is killed between two renames:
    the last file of the list, the manifest, and the one before it, the artifact, leave first and
    come last.

    Args:
        folder: the folder of the model, which receives the files.
        files: for each file its source, its destination and its SHA-256.
        old: the weights of an older model, to be removed, so that they are not mistaken for those
            of this one.
        request: the request, for messages.
    """
    with _locked(folder, {destination.parent for _, destination, _ in files}):
        # The lock says that no living process uses these names.
        staged = [(_temporary(destination), destination) for _, destination, _ in files]
        for temporary, _ in staged:
            with contextlib.suppress(OSError):
                temporary.unlink()
        try:
            for (temporary, _), (source, destination, sha256) in zip(staged, files):
                _stage(source, destination, sha256, temporary, request)
            _exchange([(new, place) for new, place in staged if new.exists()], files, old)
        finally:
            for temporary, _ in staged:
                with contextlib.suppress(OSError):  # if it cannot be removed, it was never made
                    temporary.unlink()


def _exchange(
    staged: Sequence[tuple[Path, Path]],
    files: Sequence[tuple[Path, Path, str]],
    old: Sequence[Path],
) -> None:
    """Rename files to their places, the artifact and the manifest last."""
    present = [file for file in old if file.exists()]
    if staged or present:
        for _, destination, _ in reversed(files[-2:]):
            if destination not in [place for _, place in staged]:
                # It keeps its content, but must not stand there while others are exchanged.
                temporary = _temporary(destination)
                destination.replace(temporary)
                staged = [*staged, (temporary, destination)]
            else:
                destination.unlink(missing_ok=True)
    for file in present:
        file.unlink()
    order = [destination for _, destination, _ in files]
    for temporary, destination in sorted(staged, key=lambda each: order.index(each[1])):
        temporary.replace(destination)


def _temporary(destination: Path) -> Path:
    return destination.with_name(f".{destination.name}.partial")


@contextlib.contextmanager
def _locked(folder: Path, inner: set[Path]) -> Iterator[None]:
    """Hold a lock on a folder, so that runs that write into it do so one after the other.

    The folder and the folders ``inner`` below it are made, and removed again if the work fails.
    """
    made = [each for each in sorted({folder, *inner}) if not each.exists()]
    try:
        for each in (folder, *made):
            each.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise PlaceError(f"{folder} cannot be written: {error.strerror}.") from None
    try:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    except BaseException:
        for each in reversed(made):
            with contextlib.suppress(OSError):
                each.rmdir()
        raise
    finally:
        os.close(descriptor)


def _stage(
    source: Path, destination: Path, sha256: str, temporary: Path, request: dict[str, Any]
) -> None:
    """Copy a file to a temporary one, unless its destination has the right content already.

    The bytes are hashed while they are copied: what is delivered is what the manifest promises,
    even if a cache was damaged since.
    """
    if not source.is_file():
        raise PlaceError(
            f"{destination} cannot be written: the weights are not on this machine. Run "
            f"`./pants run {request['weights_target']}` to bring them here, then try again."
        )
    try:
        if destination.is_file() and _digest(destination) == sha256:
            return  # the file, and its time, can stay
        destination.parent.mkdir(parents=True, exist_ok=True)
        with source.open("rb") as reader, temporary.open("wb") as writer:
            found = _copy(reader, writer, destination)
    except OSError as error:
        remedy = (
            "Free some space and try again."
            if error.errno in (errno.ENOSPC, errno.EDQUOT)
            else "Check the path and its permissions."
        )
        raise PlaceError(f"{destination} cannot be written: {error.strerror}. {remedy}") from None
    if found != sha256:
        raise _damaged(destination, source, found, sha256, request)


def _damaged(
    destination: Path, source: Path, found: str, sha256: str, request: dict[str, Any]
) -> PlaceError:
    return PlaceError(
        f"{destination} was not written, because its source is damaged: {source} has the SHA-256 "
        f"{found} instead of {sha256}. {_remedy(source, request)}"
    )


def _remedy(source: Path, request: dict[str, Any]) -> str:
    """Return how to replace a damaged file of the build."""
    if source.name not in request.get("weights", ()):
        return "Remove the folder lmdb_store of Pants' caches, and build again."
    return f"Remove that file, run `./pants run {request['weights_target']}`, and try again."


def _digest(file: Path) -> str:
    """Return the SHA-256 of a file."""
    digest = hashlib.sha256()
    with file.open("rb") as reader:
        while chunk := reader.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _same(source: Path, destination: Path) -> bool:
    """Return whether two files are equal."""
    if not destination.is_file() or source.stat().st_size != destination.stat().st_size:
        return False
    with source.open("rb") as one, destination.open("rb") as other:
        while chunk := one.read(_CHUNK):
            if other.read(_CHUNK) != chunk:
                return False
    return True


def _copy(reader: BinaryIO, writer: BinaryIO, destination: Path) -> str:
    """Copy a file, and return the SHA-256 of the bytes that were written."""
    digest = hashlib.sha256()
    started = time.monotonic()
    total = os.fstat(reader.fileno()).st_size
    done = 0
    while chunk := reader.read(_CHUNK):
        writer.write(chunk)
        digest.update(chunk)
        done += len(chunk)
        if time.monotonic() - started > _PATIENCE_SECONDS and sys.stderr.isatty():
            print(f"\r{destination.name}  {done / total:4.0%}", end="", file=sys.stderr)
    writer.flush()
    os.fsync(writer.fileno())
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
