"""Kill commands at random moments: the next run succeeds, with the same digests, and sweeps.

python -m tests.hostile.kills               # 50 rounds of each command
python -m tests.hostile.kills --rounds 5 export pin
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from tests.hostile import runner
from tests.hostile.areas.arrays import artifact
from tests.hostile.entry import FIXTURES, Entry, nothing
from tests.hostile.servers import serving

WEIGHTS = FIXTURES / "minilm_tiny"


@dataclass(frozen=True)
class Command:
    """A command that is killed.

    Attributes:
        arguments: its arguments, as in an ``Entry``.
        prepare: makes its input.
        results: the folder of its results, or their one file.
    """

    arguments: tuple[str, ...]
    prepare: Callable[[Path], None]
    results: str


def _older_artifact(here: Path) -> None:
    """Put an artifact of other options where the command writes its own."""
    for file in artifact().parent.iterdir():
        shutil.copy(file, here / "out")


def _made(here: Path) -> None:
    for file in artifact().parent.iterdir():
        shutil.copy(file, here)


def _pinned(here: Path) -> None:
    files = [
        {
            "name": name,
            "sha256": sha256((WEIGHTS / name).read_bytes()).hexdigest(),
            "size": (WEIGHTS / name).stat().st_size,
        }
        for name in ("config.json", "model.safetensors")
    ]
    (here / "w").mkdir()
    (here / "w" / "p.json").write_text(json.dumps({"origin": "{hub}/good", "files": files}))


COMMANDS: Mapping[str, Command] = {
    "export": Command(
        ("export", "minilm", str(WEIGHTS), "-o", "{here}/out/m.onnx", "-O", "batch=2"),
        _older_artifact,
        "out",
    ),
    "materialize": Command(
        ("materialize", "{here}/m.onnx", str(WEIGHTS), "{here}/out/w", "--copy"), _made, "out"
    ),
    "pin": Command(("pin", str(WEIGHTS), "-o", "{here}/out/p.json"), nothing, "out"),
    "download": Command(
        ("export", "minilm", "{here}/w/p.json", "--store", "{here}/s", "-o", "{here}/out/m.onnx"),
        _pinned,
        "s/sha256",
    ),
}


def main(arguments: Sequence[str]) -> int:
    """Kill each command, and return the exit status: 0 if all next runs were right."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.kills", description=__doc__)
    parser.add_argument("commands", nargs="*", default=list(COMMANDS), metavar="COMMAND")
    parser.add_argument("--rounds", type=int, default=50, help="how often to kill each command")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    chance = random.Random(options.seed)
    runner.warm_up()
    faults = 0
    with serving() as hub:
        for name in options.commands:
            command = COMMANDS[name]
            expected, seconds = _whole(command, hub)
            found = [
                fault
                for _ in range(options.rounds)
                for fault in _round(command, hub, chance.uniform(0, seconds), expected)
            ]
            faults += len(found)
            said = f"{name}: killed {options.rounds} times, {len(found)} faults"
            print(said, *found, sep="\n  ", flush=True)
    return 1 if faults else 0


def _whole(command: Command, hub: str) -> tuple[Mapping[str, str], float]:
    """Return the digests of the results of a command that is not killed, and its seconds."""
    here = _folder(command, hub)
    started = time.monotonic()
    status = os.waitstatus_to_exitcode(os.waitpid(_start(command, here, hub), 0)[1])
    seconds = time.monotonic() - started
    assert status == 0, (here / "stderr").read_text()
    results = _digests(here / command.results)
    shutil.rmtree(here)
    return results, seconds


def _round(command: Command, hub: str, seconds: float, expected: Mapping[str, str]) -> list[str]:
    """Kill a command after some seconds, run it again, and return what is wrong."""
    here = _folder(command, hub)
    pid = _start(command, here, hub)
    time.sleep(seconds)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    faults = [f"after {seconds:.3f} s: {fault}" for fault in _mismatches(here / "out")]
    if (here / "out" / "w").exists():  # it was complete, and is not written over
        shutil.rmtree(here / "out" / "w")
    status = os.waitstatus_to_exitcode(os.waitpid(_start(command, here, hub), 0)[1])
    if status:
        faults.append(f"the next run ends with {status}: {(here / 'stderr').read_text()[-300:]}")
    if _digests(here / command.results) != expected:
        faults.append(f"after {seconds:.3f} s: the next run has other results")
    if left := [path.name for path in here.rglob(".*.partial")]:
        faults.append(f"after {seconds:.3f} s: the next run leaves {', '.join(left)}")
    shutil.rmtree(here)
    return faults


def _folder(command: Command, hub: str) -> Path:
    here = Path(tempfile.mkdtemp(prefix="hostile-"))
    (here / "work").mkdir()
    (here / "out").mkdir()
    command.prepare(here)
    runner.name_server(here, hub)
    return here


def _start(command: Command, here: Path, hub: str) -> int:
    entry = Entry("kills", "", command.prepare, command.arguments, "")
    pid = os.fork()
    if pid == 0:
        runner.be_child(entry, here, hub)
    return pid


def _mismatches(out: Path) -> list[str]:
    """Return a fault if a manifest does not belong to the artifact beside it."""
    manifest = out / "m.manifest.json"
    if not manifest.exists():
        return []
    said = json.loads(manifest.read_text())["artifact"]["sha256"]
    found = sha256((out / "m.onnx").read_bytes()).hexdigest() if (out / "m.onnx").exists() else ""
    return [] if said == found else ["the manifest belongs to another artifact"]


def _digests(folder: Path) -> Mapping[str, str]:
    return {
        str(file.relative_to(folder)): sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
