from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

_SCRIPT = Path("build-support/find_python").absolute()
# Answers as find_python's probe does, if asked for the version that its name says.
_FAKE = """#!/bin/sh
test "$3" = "{version}" || exit 1
echo "{answer}"
"""


def _python(path: Path, version: str = "3.9", answer: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_FAKE.format(version=version, answer=answer or path))
    path.chmod(0o755)
    return path


def _find(
    home: Path, version: str = "3.9", fetched: str = "", **environ: str
) -> subprocess.CompletedProcess[str]:
    variables = {
        "HOME": str(home),
        "PATH": "/usr/bin:/bin",
        "FIND_PYTHON_SYSTEM": str(home / "system"),
    }
    return subprocess.run(
        [str(_SCRIPT), version, fetched],
        env={**variables, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_places_that_no_user_can_move_come_first(tmp_path: Path) -> None:
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
def test_looks_where_version_managers_keep_them(
    tmp_path: Path, place: str, environ: dict[str, str]
) -> None:
    python = _python(tmp_path / place)
    filled = {name: value.format(home=tmp_path) for name, value in environ.items()}
    result = _find(tmp_path, fetched=str(tmp_path / "fetched"), **filled)
    assert (result.returncode, result.stdout.strip()) == (0, str(python))


def test_answers_with_the_interpreter_behind_a_virtual_environment(tmp_path: Path) -> None:
    _python(tmp_path / "venv/bin/python3.9", answer="/opt/base/bin/python3.9")
    assert (
        _find(tmp_path, PATH=f"{tmp_path}/venv/bin:/usr/bin:/bin").stdout
        == "/opt/base/bin/python3.9\n"
    )


def test_passes_over_other_versions_and_broken_ones(tmp_path: Path) -> None:
    _python(tmp_path / "system/python3.9", version="3.8")
    broken = _python(tmp_path / ".pyenv/versions/3.9.1/bin/python3.9")
    broken.write_text("#!/bin/sh\nexit 127\n")
    python = _python(tmp_path / ".pyenv/versions/3.9.2/bin/python3.9")
    assert _find(tmp_path).stdout.strip() == str(python)


def test_finding_none_is_silent(tmp_path: Path) -> None:
    result = _find(tmp_path, PATH=str(tmp_path / "empty") + ":/usr/bin:/bin", version="3.99")
    assert (result.returncode, result.stdout, result.stderr) == (1, "", "")


def test_the_user_can_overrule(tmp_path: Path) -> None:
    _python(tmp_path / "system/python3.11", version="3.11")
    mine = _python(tmp_path / "mine", version="3.11")
    assert _find(tmp_path, "3.11", PANTS_PYTHON311=str(mine)).stdout.strip() == str(mine)


def test_an_unfit_choice_of_the_user_is_not_replaced_in_silence(tmp_path: Path) -> None:
    _python(tmp_path / "system/python3.9")
    mine = _python(tmp_path / "mine", version="3.8")
    result = _find(tmp_path, PANTS_PYTHON39=str(mine))
    assert result.returncode == 2
    assert f"PANTS_PYTHON39={mine} is not a complete CPython 3.9" in result.stderr
