"""Running entries, each in a process of its own that already has the libraries in memory."""

from __future__ import annotations

import os
import re
import resource
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.hostile.entry import Entry

TOKEN = "hf_neverTellThisToAnyone"
PASSWORD = "pr0xySecret"
SECONDS = 20.0
"""Processor time of a process, at most: real time depends on what else the machine does."""

_PATIENCE_SECONDS = 180.0
MEGABYTES = 1500.0
"""Memory of a process, at most: the libraries alone take about 500 MB."""

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_CHARACTERS = 16_000
"""Length of all output of a command, at most."""


@dataclass(frozen=True)
class Outcome:
    """The end of an entry.

    Attributes:
        entry: the entry.
        faults: what is not as it should be; empty for a clean end.
        seconds: the processor time that it took.
        megabytes: the largest memory of the process.
    """

    entry: Entry
    faults: tuple[str, ...]
    seconds: float
    megabytes: float


@dataclass
class _Child:
    entry: Entry
    here: Path
    started: float


def run(entries: Iterable[Entry], hub: str, jobs: int = 1) -> Iterator[Outcome]:
    """Yield the outcome of each entry, in the order in which they end.

    Args:
        entries: the entries.
        hub: the URL of the server of bad answers.
        jobs: the number of processes at a time.
    """
    warm_up()
    children: dict[int, _Child] = {}
    waiting = iter(entries)
    while True:
        while len(children) < jobs and (entry := next(waiting, None)) is not None:
            here = Path(tempfile.mkdtemp(prefix="hostile-"))
            (here / "work").mkdir()
            (here / "out").mkdir()
            entry.prepare(here)
            name_server(here, hub)
            pid = os.fork()
            if pid == 0:
                be_child(entry, here, hub)
            children[pid] = _Child(entry, here, time.monotonic())
        if not children:
            return
        for pid, child in list(children.items()):
            seconds = time.monotonic() - child.started
            ended, status, usage = os.wait4(pid, os.WNOHANG)
            if not ended and seconds > _PATIENCE_SECONDS:
                os.kill(pid, 9)
                ended, status, usage = os.wait4(pid, 0)
            if ended:
                del children[pid]
                megabytes = usage.ru_maxrss / 1000
                seconds = usage.ru_utime + usage.ru_stime
                yield _judged(child, os.waitstatus_to_exitcode(status), seconds, megabytes, hub)
        time.sleep(0.005)


def name_server(here: Path, hub: str) -> None:
    """Write the URL of the server into the pins of an entry."""
    for file in (here / "w").glob("p.json"):
        file.write_bytes(file.read_bytes().replace(b"{hub}", hub.encode()))


def warm_up() -> None:
    """Import what commands import, so that children find it in memory."""
    import exporters.artifact.agreement
    import exporters.artifact.convert
    import exporters.artifact.inspection
    import exporters.cli.main
    import exporters.families.dinov3.export
    import exporters.families.gpt_oss.export
    import exporters.families.minilm.parity
    import exporters.parity.verify  # noqa: F401


def filled(text: str, here: Path, hub: str) -> str:
    """Return a text with the names that entries may use."""
    return (
        text.replace("{here}", str(here))
        .replace("{hub}", hub)
        .replace("{TOKEN}", TOKEN)
        .replace("{PASSWORD}", PASSWORD)
    )


def be_child(entry: Entry, here: Path, hub: str) -> None:
    """Run the command of an entry in this process, and end it."""
    status = 99
    try:
        os.setsid()
        os.chdir(here / "work")
        for number, limit in entry.limits.items():
            resource.setrlimit(number, (limit, limit))
        home = {"HOME": str(here / "home"), "PATH": os.defpath, "HF_TOKEN": TOKEN}
        hub_of = {"HF_ENDPOINT": hub, "WEIGHTS_LOOPBACK_HTTP": "1", "no_proxy": "127.0.0.1"}
        os.environ.clear()
        os.environ.update(home | hub_of)
        for name, value in entry.environment.items():
            os.environ[name] = filled(value, here, hub)
        out = os.open(entry.stdout or here / "stdout", os.O_WRONLY | os.O_CREAT, 0o666)
        err = os.open(here / "stderr", os.O_WRONLY | os.O_CREAT, 0o666)
        for descriptor, stream in ((out, 1), (err, 2)):
            os.dup2(descriptor, stream)
        sys.stdout = open(1, "w", errors="backslashreplace", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", errors="backslashreplace", closefd=False)  # noqa: SIM115
        time.sleep = lambda _: None  # the pauses between attempts
        from exporters.cli.main import cli

        arguments = [filled(each, here, hub) for each in entry.arguments]
        cli(arguments, prog_name="python -m exporters")
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    finally:
        if sys.exc_info()[0] is not None:
            traceback.print_exc()
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except OSError:
            status = status or 1
        os._exit(status)


def _judged(child: _Child, status: int, seconds: float, megabytes: float, hub: str) -> Outcome:
    entry, here = child.entry, child.here
    stderr = here / "stderr"
    message = stderr.read_text("utf-8", "replace") if stderr.exists() else ""
    stdout = here / "stdout"
    printed = stdout.read_text("utf-8", "replace") if stdout.exists() else ""
    faults = list(_faults(child, status, message, printed, hub))
    if seconds > SECONDS:
        faults.append(f"took {seconds:.0f} s")
    if megabytes > MEGABYTES:
        faults.append(f"took {megabytes:.0f} MB")
    shutil.rmtree(here, ignore_errors=True)
    return Outcome(entry, tuple(faults), seconds, megabytes)


def _faults(child: _Child, status: int, message: str, printed: str, hub: str) -> Iterator[str]:
    entry, here = child.entry, child.here
    if status not in ((0, 1) if entry.status is None else (entry.status,)):
        yield f"exit status {status} instead of {entry.status}: {message[-400:]!r}"
    expected = filled(entry.expected, here, hub)
    if not any(expected in line for line in (message + printed).split("\n")):
        yield f"does not say {expected!r}: {message[:600]!r}"
    if "Traceback" in message:
        yield f"shows a traceback: {message[-600:]!r}"
    if found := _CONTROL.search(message + printed):
        yield f"prints the control character {found[0]!r}"
    if len(message) + len(printed) > _CHARACTERS:
        yield f"prints {len(message) + len(printed):,} characters"
    yield from (f"shows {secret}" for secret in (TOKEN, PASSWORD) if secret in message + printed)
    for folder in ("work", "out"):
        left = sorted(path.name for path in (here / folder).rglob("*")) if entry.status else []
        if left:
            yield f"leaves {', '.join(left)} in {folder}"
    if partial := [path.name for path in here.rglob("*.partial")]:
        yield f"leaves {', '.join(partial)}"
