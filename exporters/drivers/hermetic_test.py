"""The audit hook refuses undeclared inputs. It cannot be removed, so each case has a process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]

PROGRAM = """
import sys
from pathlib import Path
from exporters.drivers import hermetic
hermetic.install("exporters:mine", [Path.cwd()])
try:
    exec(compile(open("user.py").read(), "user.py", "exec"))
finally:
    hermetic.verify()
"""


def run(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    (folder / "user.py").write_text(code)
    return subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.append({str(REPOSITORY)!r})\n{PROGRAM}"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("code", "named"),
    [
        ("open('/etc/hostname')", "exporters:mine opened /etc/hostname"),
        ("open(b'/etc/hostname')", "exporters:mine opened /etc/hostname"),
        ("import os; os.open('../outside', os.O_RDWR | os.O_CREAT)", "outside, which is not among"),
        ("import numpy; numpy.load('/nowhere/x.npy')", "opened /nowhere/x.npy"),
        ("import os; os.listdir('/etc')", "exporters:mine listed /etc, which is not among"),
        ("import os; list(os.walk(b'/etc'))", "exporters:mine listed /etc, which"),
        ("import glob; glob.glob('/etc/*.conf')", "exporters:mine listed /etc, which"),
        ("from pathlib import Path; list(Path('..').iterdir())", "exporters:mine listed /"),
        ("import sqlite3; sqlite3.connect('/nowhere/x.db')", "opened /nowhere/x.db"),
        ("import os; os.fork()", "exporters:mine split its process (os.fork)"),
        (
            "import socket; socket.create_connection(('example.org', 443))",
            "used the network (socket.getaddrinfo: example.org)",
        ),
        (
            "import socket; socket.socket().connect(('192.0.2.1', 80))",
            "used the network (socket.connect: 192.0.2.1:80)",
        ),
        (
            "import urllib.request; urllib.request.urlopen('https://example.org/x')",
            "used the network (urllib.Request: https://example.org/x)",
        ),
        ("import subprocess; subprocess.run(['ls', '-l'])", "started another program (ls)"),
        ("import os; os.system('ls')", "started another program (ls)"),
        ("import os; os.posix_spawn('/bin/ls', ['ls'], {})", "started another program (/bin/ls)"),
    ],
)
def test_undeclared_inputs_are_refused_and_named(tmp_path: Path, code: str, named: str) -> None:
    done = run(tmp_path, f"\n\n{code}")
    assert done.returncode != 0
    assert named in done.stderr
    assert "user.py:3" in done.stderr.splitlines()[-1]


def test_a_suppressed_refusal_still_fails(tmp_path: Path) -> None:
    done = run(tmp_path, "try:\n    open('/etc/hostname')\nexcept hermetic.ExportError:\n    pass")
    assert done.returncode != 0
    assert "opened /etc/hostname" in done.stderr


def test_declared_work_succeeds(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        "import jax, jax.numpy as jnp, equinox, numpy, onnx, onnx_ir, onnxruntime, click\n"
        "import safetensors.numpy, time, logging, zoneinfo, uuid, socket\n"
        "logging.warning('x'); time.localtime(); zoneinfo.ZoneInfo('UTC'); uuid.uuid4()\n"
        "assert float(jax.jit(jnp.sin)(0.0)) == 0\n"
        "Path('out').mkdir(); Path('out/x').write_text('x'); Path('out/x').read_text()\n"
        "import inspect; inspect.getsource(jnp.sin); socket.socketpair()\n"
        "import os, glob, importlib.metadata, sqlite3, threading\n"
        "os.listdir(); os.listdir('out'); list(os.walk('.')); glob.glob('*'); glob.glob('out/*')\n"
        "os.listdir(os.open('out', os.O_RDONLY)); zoneinfo.available_timezones()\n"
        "list(importlib.metadata.distributions()); sqlite3.connect('out/db')\n"
        "sqlite3.connect(':memory:')\n",
    )
    assert done.returncode == 0, done.stderr
