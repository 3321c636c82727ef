"""The launcher and its bootstrap run with fakes in place of all downloads."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

_LOCKS = [Path("3rdparty/python/pants.lock"), Path("3rdparty/python/pex.lock")]
_SUPPORT = [
    "bootstrap",
    "compare_interpreters",
    "find_python",
    "find_uv",
    "get_python",
    "install_engine",
    "pip_settings.py",
    "product_versions",
    "run_pants.py",
]
_FILES = [Path("pants"), *_LOCKS, *(Path("build-support", name) for name in _SUPPORT)]

# This stands for an interpreter of the version in its name, also in a virtual environment.
_PYTHON = r"""#!/bin/bash
echo "$*" >>"$LOG"
packages=lib/python3.9/site-packages/pants/bin
case "$*" in
  "-s - "*) [[ " $* " == *" ${0##*python} "* ]] && echo "$0" ;;
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
  "- "*) echo "pex_version=v$3 pex_known_versions=known" ;;
esac
"""
_CLIENT = """#!/bin/bash
printf '%s\\n' "$@"
env
"""


class _Machine:
    """A checkout, a home and two interpreters, below one folder."""

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
        self.python("python3.12")
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

    @staticmethod
    def interpreters(result: subprocess.CompletedProcess[str]) -> list[str]:
        """Return the interpreters that Pants was given."""
        found = re.search(r"^PANTS_PYTHON_BOOTSTRAP_SEARCH_PATH=(.*)$", result.stdout, re.MULTILINE)
        assert found is not None, result.stderr
        return re.findall("'(.*?)'", found[1])

    def count(self, pattern: str) -> int:
        return len(re.findall(pattern, self.log.read_text()))

    @property
    def engines(self) -> list[Path]:
        """Return the folders that could be mistaken for installed engines."""
        return [ready.parent for ready in self.home.glob(".cache/pants-bootstrap/*/ready")]


@pytest.fixture
def machine(tmp_path: Path) -> _Machine:
    return _Machine(tmp_path)


def test_the_first_run_bootstraps_and_starts_pants(machine: _Machine) -> None:
    result = machine.run("run", "a b", "--", "*")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[:4] == ["run", "a b", "--", "*"]
    (engine,) = machine.engines
    assert machine.interpreters(result) == [f"{machine.bin}/python3.12", f"{machine.bin}/python3.9"]
    assert f"PANTS_PEX_CLI_URL_TEMPLATE=file://{engine}/pex" in lines
    assert f"_PANTS_SERVER_EXE={engine}/pants" in lines
    assert "PIP_ASKED=yes" in lines


def test_the_second_run_only_starts_pants(machine: _Machine) -> None:
    machine.run()
    before = machine.log.read_text()
    result = machine.run("x")
    assert (result.returncode, result.stderr) == (0, "")
    assert machine.log.read_text() == before


def test_runs_through_a_symbolic_link_in_any_folder(machine: _Machine, tmp_path: Path) -> None:
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
def test_pip_settings_are_read_again_when_they_change(machine: _Machine, change: str) -> None:
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


def test_a_missing_interpreter_is_searched_again(machine: _Machine) -> None:
    machine.run()
    (machine.bin / "python3.12").unlink()
    moved = machine.executable(machine.home / ".pyenv/versions/3.12.9/bin/python3.12", _PYTHON)
    assert machine.interpreters(machine.run()) == [str(moved), f"{machine.bin}/python3.9"]
    assert machine.count("-m venv") == 1


@pytest.mark.parametrize(
    ("present", "chosen"),
    [
        (["3.12", "3.13", "3.14"], "3.12"),
        (["3.13", "3.14"], "3.13"),
        (["3.14"], "3.14"),
        (["3.11", "3.13", "3.15"], "3.13"),
    ],
)
def test_the_product_runs_on_its_first_version_that_is_installed(
    machine: _Machine, present: list[str], chosen: str
) -> None:
    (machine.bin / "python3.12").unlink()
    for version in present:
        machine.python(f"python{version}")
    product, _ = machine.interpreters(machine.run())
    assert product == f"{machine.bin}/python{chosen}"


def test_the_users_choice_of_interpreter_is_for_one_command(machine: _Machine) -> None:
    mine = machine.executable(machine.home / "mine/python3.13", _PYTHON)
    for environ, product in [
        ({}, machine.bin / "python3.12"),
        ({"PANTS_PRODUCT_PYTHON": str(mine)}, mine),
        ({}, machine.bin / "python3.12"),
    ]:
        result = machine.run(**environ)
        assert machine.interpreters(result) == [str(product), f"{machine.bin}/python3.9"]
    assert machine.count("-m venv") == 1


def test_an_unsuitable_choice_of_the_user_is_refused(machine: _Machine) -> None:
    machine.run()
    old = machine.python("python3.11")
    result = machine.run(PANTS_PRODUCT_PYTHON=str(old))
    assert result.returncode != 0
    assert f"PANTS_PRODUCT_PYTHON={old} is not a complete CPython 3.12 or 3.13" in result.stderr


def test_the_launcher_and_pants_name_the_same_versions() -> None:
    *_, last = versions = Path("build-support/product_versions").read_text().split()
    end = f"3.{int(last.partition('.')[2]) + 1}"
    constraints = set(re.findall(r'"CPython(>=3\.1.+?)"', Path("pants.toml").read_text()))
    assert constraints == {f">={versions[0]},<{end}"}


@pytest.mark.parametrize("file", _LOCKS)
def test_a_changed_recipe_makes_another_engine(machine: _Machine, file: Path) -> None:
    machine.run()
    with (machine.checkout / file).open("a") as lock:
        lock.write("# another pin\n")
    machine.run()
    assert len(machine.engines) == 2


def test_a_failed_installation_leaves_no_engine_and_is_retried(machine: _Machine) -> None:
    result = machine.run(PIP_STATUS="1")
    assert result.returncode != 0
    assert machine.engines == []
    assert machine.run().returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_bootstrap_is_not_used(machine: _Machine, number: signal.Signals) -> None:
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


def test_concurrent_first_runs(machine: _Machine) -> None:
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
def test_without_an_interpreter_the_message_has_a_command(
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
    assert "PANTS_PYTHON39=/path/to/python3.9 ./pants" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_message_names_every_supported_version(machine: _Machine) -> None:
    (machine.bin / "python3.12").unlink()
    machine.executable(machine.bin / "uv", "#!/bin/sh\nexit 1\n")
    result = machine.run()
    assert result.returncode == 1
    assert "CPython 3.12 or 3.13 or 3.14 is needed (the exporters run on it)" in result.stderr
    assert "    uv python install 3.12\n" in result.stderr
    assert "PANTS_PRODUCT_PYTHON=/path/to/python3.12 ./pants" in result.stderr


@pytest.mark.parametrize("version", ["3.9", "3.12"])
def test_a_missing_interpreter_is_installed_with_uv(machine: _Machine, version: str) -> None:
    template = (machine.bin / f"python{version}").rename(machine.home / "template")
    folder = f"cpython-{version}.20-linux-x86_64-gnu/bin"
    machine.executable(
        machine.bin / "uv",
        "#!/bin/sh\n"
        f'test "$1 $2 $5" = "python install {version}" || exit 1\n'
        f'folder="$UV_PYTHON_INSTALL_DIR/{folder}"\n'
        f'mkdir -p "$folder" && cp "{template}" "$folder/python{version}"\n',
    )
    fetched = f"{machine.home}/.cache/pants-bootstrap/python/{folder}/python{version}"
    assert fetched in machine.interpreters(machine.run())


@pytest.mark.parametrize(
    ("built", "verdict"),
    [
        ("same", "all models (1) are the same, byte for byte, under CPython 3.12 and 3.13"),
        ("$PANTS_PRODUCT_PYTHON", "CPython 3.12 and 3.13 build different bytes"),
        ("", "no model was built"),
    ],
)
def test_artifacts_of_two_interpreters_are_compared(
    machine: _Machine, built: str, verdict: str
) -> None:
    machine.python("python3.13")
    machine.executable(
        machine.checkout / "pants",
        "#!/bin/bash\n"
        'for argument; do [[ "$argument" == --pants-distdir=* ]] && folder="${argument#*=}"; done\n'
        f'mkdir -p "$folder" && built="{built}"\n'
        '[[ -z "$built" ]] || echo "$built" >"$folder/m.onnx"\n',
    )
    result = subprocess.run(
        machine.command(script="build-support/compare_interpreters"),
        env=machine.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode == 0) == (built == "same")
    assert verdict in result.stdout + result.stderr
