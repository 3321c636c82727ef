from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_SCRIPT = Path("build-support/find_python").absolute()
# This stands for an interpreter. It answers find_python's probe if its version is requested.
_FAKE = """#!/bin/bash
[[ " ${{*:3}} " == *" {version} "* ]] || exit 1
echo "{answer}"
"""


def _python(path: Path, version: str = "3.9", answer: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_FAKE.format(version=version, answer=answer or path))
    path.chmod(0o755)
    return path


def _find(
    home: Path, *versions: str, fetched: str = "/nonexistent", **environ: str
) -> subprocess.CompletedProcess[str]:
    variables = {
        "HOME": str(home),
        "PATH": "/usr/bin:/bin",
        "FIND_PYTHON_SYSTEM": str(home / "system"),
    }
    return subprocess.run(
        [str(_SCRIPT), fetched, "MY_PYTHON", *(versions or ["3.9"])],
        env={**variables, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_system_folders_come_first(tmp_path: Path) -> None:
    places = ["system/python3.9", ".pyenv/versions/3.9.1/bin/python3.9", "bin/python3.9"]
    pythons = [_python(tmp_path / place) for place in places]
    for python in pythons:
        assert _find(tmp_path, PATH=f"{tmp_path}/bin:/usr/bin:/bin").stdout.strip() == str(python)
        python.unlink()


@pytest.mark.parametrize(
    ("place", "environ"),
    [
        (".pyenv/versions/3.9.18/bin/python3.9", {}),
        ("elsewhere/versions/3.9.18/bin/python3.9", {"PYENV_ROOT": "{home}/elsewhere"}),
        ("shimmed/versions/3.9.18/bin/python3.9", {"PATH": "{home}/shimmed/shims:/usr/bin:/bin"}),
        (".asdf/installs/python/3.9.18/bin/python3.9", {}),
        (".local/share/uv/python/cpython-3.9.18-linux-x86_64-gnu/bin/python3.9", {}),
        ("with space/python3.9", {"PATH": "{home}/with space:/usr/bin:/bin"}),
        ("bin/python3", {"PATH": "{home}/bin:/usr/bin:/bin"}),
        ("fetched/cpython-3.9.18-macos-aarch64-none/bin/python3.9", {}),
    ],
)
def test_finds_interpreters_of_version_managers(
    tmp_path: Path, place: str, environ: dict[str, str]
) -> None:
    python = _python(tmp_path / place)
    filled = {name: value.format(home=tmp_path) for name, value in environ.items()}
    result = _find(tmp_path, fetched=str(tmp_path / "fetched"), **filled)
    assert (result.returncode, result.stdout.strip()) == (0, str(python))


def test_returns_the_interpreter_behind_a_virtual_environment(tmp_path: Path) -> None:
    _python(tmp_path / "venv/bin/python3.9", answer="/opt/base/bin/python3.9")
    assert (
        _find(tmp_path, PATH=f"{tmp_path}/venv/bin:/usr/bin:/bin").stdout
        == "/opt/base/bin/python3.9\n"
    )


def test_skips_other_versions_and_broken_interpreters(tmp_path: Path) -> None:
    _python(tmp_path / "system/python3.9", version="3.8")
    broken = _python(tmp_path / ".pyenv/versions/3.9.1/bin/python3.9")
    broken.write_text("#!/bin/sh\nexit 127\n")
    python = _python(tmp_path / ".pyenv/versions/3.9.2/bin/python3.9")
    assert _find(tmp_path).stdout.strip() == str(python)


def test_prints_nothing_without_an_interpreter(tmp_path: Path) -> None:
    result = _find(tmp_path, "3.98", "3.99", PATH=str(tmp_path / "empty") + ":/usr/bin:/bin")
    assert (result.returncode, result.stdout, result.stderr) == (1, "", "")


def test_the_first_version_is_preferred_in_any_folder(tmp_path: Path) -> None:
    _python(tmp_path / "system/python3.13", version="3.13")
    _python(tmp_path / "system/python3.14", version="3.14")
    assert _find(tmp_path, "3.12", "3.13", "3.14").stdout.strip() == f"{tmp_path}/system/python3.13"
    fetched = _python(tmp_path / "fetched/cpython-3.12.1-linux/bin/python3.12", version="3.12")
    result = _find(tmp_path, "3.12", "3.13", "3.14", fetched=str(tmp_path / "fetched"))
    assert result.stdout.strip() == str(fetched)


def test_the_user_can_choose_an_interpreter(tmp_path: Path) -> None:
    _python(tmp_path / "system/python3.12", version="3.12")
    mine = _python(tmp_path / "mine", version="3.13")
    assert _find(tmp_path, "3.12", "3.13", MY_PYTHON=str(mine)).stdout.strip() == str(mine)


def test_an_unsuitable_choice_of_the_user_is_an_error(tmp_path: Path) -> None:
    _python(tmp_path / "system/python3.12", version="3.12")
    mine = _python(tmp_path / "mine", version="3.11")
    result = _find(tmp_path, "3.12", "3.13", MY_PYTHON=str(mine))
    assert (result.returncode, result.stdout) == (2, "")
    assert f"MY_PYTHON={mine} is not a complete CPython 3.12 or 3.13" in result.stderr


@pytest.mark.parametrize(("missing", "status"), [("no_such_module", 0), ("ensurepip", 1)])
def test_an_interpreter_that_cannot_install_pip_is_skipped(
    tmp_path: Path, missing: str, status: int
) -> None:
    """Debian has ``ensurepip`` in a separate package, and pex needs it to install pip."""
    for tool in ("bash", "cat", "env"):
        found = shutil.which(tool, path="/usr/bin:/bin")
        assert found is not None
        (tmp_path / tool).symlink_to(found)
    version = f"3.{sys.version_info[1]}"
    hide = f"import sys; sys.modules['{missing}'] = None"
    python = tmp_path / "system" / f"python{version}"
    python.parent.mkdir()
    python.write_text(
        f'#!/bin/sh\nshift 2\n{{ echo "{hide}"; cat; }} | exec "{sys.executable}" -s - "$@"\n'
    )
    python.chmod(0o755)
    result = _find(tmp_path, version, PATH=str(tmp_path))
    assert (result.returncode, result.stderr) == (status, "")
