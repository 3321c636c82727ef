"""The launcher and its bootstrap, with fakes for everything that they would fetch."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

_LOCK = Path("3rdparty/python/pants.lock")
_SUPPORT = [
    "bootstrap",
    "find_python",
    "find_uv",
    "install_engine",
    "pip_settings.py",
    "run_pants.py",
]
_FILES = [Path("pants"), _LOCK, *(Path("build-support", name) for name in _SUPPORT)]

# Does for an interpreter of any version, in and out of a virtual environment.
_PYTHON = r"""#!/bin/bash
echo "$*" >>"$LOG"
packages=lib/python3.9/site-packages/pants/bin
case "$*" in
  "-s - "*) echo "$0" ;;
  "-c "*fcntl*) exec "$REAL_PYTHON" "$@" ;;
  "-m venv "*)
    mkdir -p "$3/bin" "$3/$packages"
    cp "$0" "$3/bin/python"
    cp "$CLIENT" "$3/$packages/native_client"
    ;;
  *"pip "*" install "*)
    [[ -z "${PIP_HANGS:-}" ]] || sleep 60
    exit "${PIP_STATUS:-0}"
    ;;
  *"pip "*" download "*) mkdir -p "${@: -1}" ;;
  "-m pex "*)
    while [[ "$1" != --output-file ]]; do shift; done
    echo pex >"$2"
    ;;
  *pip_settings.py*) printf 'settings_key=%q\nexport PIP_ASKED=yes\n' "$3" | tee "$2" ;;
  "- "*) echo "pex_version=v2 pex_known_versions=known" ;;
esac
"""
_CLIENT = """#!/bin/bash
printf '%s\\n' "$@"
env
"""


class _Machine:
    """A checkout, a home and two interpreters, all below one folder."""

    def __init__(self, folder: Path) -> None:
        self.checkout, self.home = folder / "a checkout", folder / "home"
        self.bin, self.log = folder / "bin", folder / "log"
        self.home.mkdir()
        self.log.touch()
        for file in _FILES:
            target = self.checkout / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, target)
        self.executable(folder / "client", _CLIENT)
        self.python("python3.9")
        self.python("python3.11")
        self.environ = {
            "HOME": str(self.home),
            "PATH": f"{self.bin}:/usr/bin:/bin",
            "FIND_PYTHON_SYSTEM": str(self.bin),
            "LOG": str(self.log),
            "CLIENT": str(folder / "client"),
            "REAL_PYTHON": sys.executable,
        }

    def executable(self, path: Path, text: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
        return path

    def python(self, name: str) -> Path:
        return self.executable(self.bin / name, _PYTHON)

    def command(self, *arguments: str, script: str = "pants") -> list[str]:
        return [str(self.checkout / script), *arguments]

    def run(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            env={**self.environ, **environ},
            capture_output=True,
            text=True,
            check=False,
        )

    def count(self, pattern: str) -> int:
        return len(re.findall(pattern, self.log.read_text()))

    @property
    def engines(self) -> list[Path]:
        """The folders that could be taken for installed engines."""
        return [ready.parent for ready in self.home.glob(".cache/pants-bootstrap/*/ready")]


@pytest.fixture
def machine(tmp_path: Path) -> _Machine:
    return _Machine(tmp_path)


def test_first_run_bootstraps_and_hands_over(machine: _Machine) -> None:
    result = machine.run("run", "a b", "--", "*")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[:4] == ["run", "a b", "--", "*"]
    (engine,) = machine.engines
    search_path = f"['{machine.bin}/python3.11', '{machine.bin}/python3.9']"
    assert f"PANTS_PYTHON_BOOTSTRAP_SEARCH_PATH={search_path}" in lines
    assert f"PANTS_PEX_CLI_URL_TEMPLATE=file://{engine}/pex" in lines
    assert f"_PANTS_SERVER_EXE={engine}/pants" in lines
    assert "PIP_ASKED=yes" in lines


def test_second_run_does_nothing_but_hand_over(machine: _Machine) -> None:
    machine.run()
    before = machine.log.read_text()
    result = machine.run("x")
    assert (result.returncode, result.stderr) == (0, "")
    assert machine.log.read_text() == before


def test_runs_through_a_symbolic_link_from_anywhere(machine: _Machine, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(machine.checkout / "pants")
    result = subprocess.run(
        [str(link), "x"],
        cwd="/",
        env=machine.environ,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert result.stdout.startswith("x\n")


@pytest.mark.parametrize("change", ["variable", "new file", "edited file", "removed file"])
def test_pip_is_asked_again_when_its_configuration_changes(machine: _Machine, change: str) -> None:
    config = machine.home / ".config/pip/pip.conf"
    config.parent.mkdir(parents=True)
    if change != "new file":
        config.write_text("[global]\n")
    machine.run()
    machine.run()
    assert machine.count("pip_settings.py") == 1
    environ = {}
    if change == "variable":
        environ["PIP_INDEX_URL"] = "https://other/simple"
    elif change == "removed file":
        config.unlink()
    else:
        time.sleep(0.01)
        config.write_text("[global]\nindex-url = https://other/simple\n")
    machine.run(**environ)
    assert machine.count("pip_settings.py") == 2


def test_an_interpreter_that_vanished_is_looked_for_again(machine: _Machine) -> None:
    machine.run()
    (machine.bin / "python3.11").unlink()
    moved = machine.executable(machine.home / ".pyenv/versions/3.11.9/bin/python3.11", _PYTHON)
    result = machine.run()
    search_path = f"['{moved}', '{machine.bin}/python3.9']"
    assert f"PANTS_PYTHON_BOOTSTRAP_SEARCH_PATH={search_path}" in result.stdout
    assert machine.count("-m venv") == 1


def test_another_recipe_is_another_engine(machine: _Machine) -> None:
    machine.run()
    with (machine.checkout / "3rdparty/python/pants.lock").open("a") as lock:
        lock.write("# another pin\n")
    machine.run()
    assert len(machine.engines) == 2


def test_a_failed_installation_leaves_no_engine_and_is_tried_again(machine: _Machine) -> None:
    result = machine.run(PIP_STATUS="1")
    assert result.returncode != 0
    assert machine.engines == []
    assert machine.run().returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_bootstrap_is_never_taken_for_finished(
    machine: _Machine, number: signal.Signals
) -> None:
    process = subprocess.Popen(
        machine.command(),
        env={**machine.environ, "PIP_HANGS": "yes"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 20
    while not machine.count("pip .*install") and time.monotonic() < deadline:
        time.sleep(0.02)
    subprocess.run(["kill", f"-{int(number)}", "--", f"-{process.pid}"], check=True)
    assert process.wait(20) != 0
    assert machine.engines == []
    assert machine.run().returncode == 0


def test_first_runs_may_race(machine: _Machine) -> None:
    processes = [
        subprocess.Popen(
            machine.command("x"), env=machine.environ, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert all(process.returncode == 0 for process in processes)
    assert all(output.startswith("x\n") for output in outputs)
    assert machine.count("-m venv") == 1


@pytest.mark.parametrize(
    ("tool", "advice"),
    [
        ("pyenv", "pyenv install 3.9"),
        ("uv", "uv python install 3.9"),
        (None, "uv python install 3.9"),
    ],
)
def test_where_no_interpreter_can_be_had_the_message_is_a_command(
    machine: _Machine, tool: str | None, advice: str
) -> None:
    (machine.bin / "python3.9").unlink()
    tools = machine.home / "tools"
    tools.mkdir()
    for name in ("bash", "cat", "cksum", "dirname", "env", "mkdir", "readlink", "rm"):
        found = shutil.which(name, path="/usr/bin:/bin")
        assert found is not None
        (tools / name).symlink_to(found)
    if tool:
        machine.executable(tools / tool, "#!/bin/sh\nexit 1\n")
    result = machine.run(PATH=str(tools))
    assert result.returncode == 1
    assert "CPython 3.9 is needed (Pants itself runs on it)" in result.stderr
    assert f"    {advice}\n" in result.stderr or f"bin/{advice}\n" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_missing_interpreter_is_fetched_with_uv(machine: _Machine) -> None:
    (machine.bin / "python3.9").unlink()
    machine.executable(
        machine.bin / "uv",
        "#!/bin/sh\n"
        'test "$1 $2 $5" = "python install 3.9" || exit 1\n'
        'folder="$UV_PYTHON_INSTALL_DIR/cpython-3.9.20-linux-x86_64-gnu/bin"\n'
        f'mkdir -p "$folder" && cp "{machine.bin}/python3.11" "$folder/python3.9"\n',
    )
    result = machine.run(FIND_PYTHON_SYSTEM=str(machine.bin))
    assert (
        f"{machine.home}/.cache/pants-bootstrap/python/cpython-3.9.20-linux-x86_64-gnu/bin/python3.9"
        in result.stdout
    )
