"""The script that ``./pants run`` ends with: it lays files out and describes them.

It runs in the interpreter of Pants, in the root of the repository, so it imports the standard
library alone. Its request is the file ``__request.json`` in the sandbox, which is the first
argument. ``onnx_export.run.models`` and ``onnx_export.run.weights`` write it.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any, BinaryIO

_CHUNK = 1 << 22
_PATIENCE_SECONDS = 2.0
_IN_CACHE = "in the cache of the build, and beside each model that is made from these weights"


class PlaceError(Exception):
    """A mistake of the user. The message says what is wrong, where, and what to do about it."""


def main(arguments: list[str]) -> int:
    """Perform the request in the sandbox, and return the exit status."""
    sandbox = Path(arguments[0])
    request: dict[str, Any] = json.loads((sandbox / "__request.json").read_text())
    try:
        (_model if "artifact" in request else _weights)(sandbox, request, arguments[1:])
    except PlaceError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted: no unfinished file was left behind.", file=sys.stderr)
        return 130
    return 0


def _model(sandbox: Path, request: dict[str, Any], arguments: list[str]) -> None:
    options = _parser(request["target"]).parse_args(arguments)
    built = sandbox / request["files"]
    manifest = json.loads((built / request["manifest"]).read_text())
    origin = _folder_of_weights(sandbox, request, manifest)
    if options.materialize is not None:
        into, beside = options.materialize, True
    else:
        into = Path(request["into"], request["artifact"]).parent
        small = request["weights_size"] <= request["lay_up_to"]
        beside = request["weights_in"] is not None or (small and origin.is_dir())

    if options.materialize is not None:
        _refuse_others(
            {
                into / Path(file).name: built / file
                for file in (request["artifact"], request["manifest"])
            }
            | {into / name: origin / name for name in request["weights"]}
        )
    for name in request["weights"]:
        if beside:
            _place(origin / name, into / name, request)
        elif origin.resolve() != into.resolve():
            # The weights of an older model must not be mistaken for those of this one.
            (into / name).unlink(missing_ok=True)
    _place(built / request["manifest"], into / Path(request["manifest"]).name, request)
    artifact = into / Path(request["artifact"]).name
    _place(built / request["artifact"], artifact, request)

    sys.path[:0] = [str(sandbox / root) for root in request["modules"]]
    summary = importlib.import_module(request["summary"])
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
    if request["weights_in"] is not None:
        return sandbox.joinpath(request["files"], request["weights_in"])
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


def _place(source: Path, destination: Path, request: dict[str, Any]) -> None:
    """Make ``destination`` equal to ``source``, completely or not at all."""
    if not source.is_file():
        raise PlaceError(
            f"{destination} cannot be written: the weights are not on this machine. Run "
            f"`./pants run {request['weights_target']}` to bring them here, then try again."
        )
    temporary = destination.with_name(f".{destination.name}.{os.getpid()}.partial")
    try:
        if _same(source, destination):
            return
        destination.parent.mkdir(parents=True, exist_ok=True)
        with source.open("rb") as reader, temporary.open("wb") as writer:
            _copy(reader, writer, destination)
        temporary.replace(destination)
    except OSError as error:
        remedy = (
            "Free some space and try again."
            if error.errno in (errno.ENOSPC, errno.EDQUOT)
            else "Nothing was left behind."
        )
        raise PlaceError(f"{destination} cannot be written: {error.strerror}. {remedy}") from None
    finally:
        with contextlib.suppress(OSError):  # if it cannot be removed, it was never made
            temporary.unlink()


def _same(source: Path, destination: Path) -> bool:
    """Return whether the files are equal; then the destination, and its time, can stay."""
    if not destination.is_file() or source.stat().st_size != destination.stat().st_size:
        return False
    with source.open("rb") as one, destination.open("rb") as other:
        while chunk := one.read(_CHUNK):
            if other.read(_CHUNK) != chunk:
                return False
    return True


def _copy(reader: BinaryIO, writer: BinaryIO, destination: Path) -> None:
    started = time.monotonic()
    total = os.fstat(reader.fileno()).st_size
    done = 0
    while chunk := reader.read(_CHUNK):
        writer.write(chunk)
        done += len(chunk)
        if time.monotonic() - started > _PATIENCE_SECONDS and sys.stderr.isatty():
            print(f"\r{destination.name}  {done / total:4.0%}", end="", file=sys.stderr)
    writer.flush()
    os.fsync(writer.fileno())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
