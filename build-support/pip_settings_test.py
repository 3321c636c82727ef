from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pip_settings
import pytest

_PYPI = "https://pypi.org/simple/"


def test_parse_lets_later_sections_win_and_ignores_other_commands() -> None:
    listing = r"""
:env:.index-url='https://from.env/simple'
global.index-url='https://from.file/simple'
install.find-links='/from/install'
global.find-links='/from/global'
freeze.timeout='10'
global.extra-index-url='\nhttps://a/simple\nhttps://b/simple'
not a setting
"""
    assert pip_settings.parse(listing) == {
        "index-url": "https://from.env/simple",
        "find-links": "/from/install",
        "extra-index-url": "\nhttps://a/simple\nhttps://b/simple",
    }


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, None),
        ({"index-url": _PYPI}, None),
        ({"index-url": "https://i/simple"}, ["https://i/simple"]),
        ({"extra-index-url": "file:///e https://f"}, [_PYPI, "file:///e", "https://f"]),
        ({"index-url": "https://i", "extra-index-url": "\nhttps://e"}, ["https://i", "https://e"]),
        ({"index-url": "https://i", "no-index": "1"}, []),
        ({"index-url": "https://i", "no-index": "false"}, ["https://i"]),
    ],
)
def test_indexes(settings: dict[str, str], expected: list[str] | None) -> None:
    found = pip_settings.variables(settings, {}).get("PANTS_PYTHON_REPOS_INDEXES")
    assert found == (None if expected is None else repr(expected))


def test_uv_gets_the_first_index() -> None:
    settings = {"index-url": "https://i", "extra-index-url": "https://e"}
    assert pip_settings.variables(settings, {})["UV_DEFAULT_INDEX"] == "https://i"


def test_local_links_become_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    found = pip_settings.variables({"find-links": "wheels\nhttps://h/links"}, {})
    assert found["PANTS_PYTHON_REPOS_FIND_LINKS"] == repr([f"{tmp_path}/wheels", "https://h/links"])


def test_certificates_in_the_order_of_pip(tmp_path: Path) -> None:
    cert, bundle = tmp_path / "cert.pem", tmp_path / "bundle.pem"
    cert.touch()
    bundle.touch()
    environ = {"REQUESTS_CA_BUNDLE": str(bundle)}
    found = pip_settings.variables({"cert": str(cert)}, environ)
    assert found["PANTS_CA_CERTS_PATH"] == found["SSL_CERT_FILE"] == str(cert)
    assert pip_settings.variables({}, environ)["PANTS_CA_CERTS_PATH"] == str(bundle)
    assert "PANTS_CA_CERTS_PATH" not in pip_settings.variables({"cert": str(tmp_path / "no")}, {})


def test_the_proxy_goes_to_everything_that_downloads() -> None:
    found = pip_settings.variables({"proxy": "http://p:1"}, {})
    assert found["HTTP_PROXY"] == found["HTTPS_PROXY"] == "http://p:1"


def test_the_script_is_quoted_for_the_shell_and_stored(tmp_path: Path) -> None:
    """A fake pip prints a setting that needs quoting, and a shell reads the script."""
    index = "https://user:it's$HOME`x`@i/simple"
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip/__init__.py").touch()
    listing = f"global.index-url={index!r}"
    (tmp_path / "pip/__main__.py").write_text(f"print({listing!r})")
    kept = tmp_path / "settings.sh"
    command = [sys.executable, str(Path(pip_settings.__file__).absolute()), str(kept), "the 'key'"]
    environ = {"PYTHONPATH": str(tmp_path)}
    printed = subprocess.run(command, env=environ, check=True, stdout=subprocess.PIPE).stdout
    assert printed == kept.read_bytes()
    assert [file.name for file in tmp_path.glob("settings.sh*")] == ["settings.sh"]
    assert kept.stat().st_mode & 0o077 == 0
    shell = (
        'set -eu; key="$1"; . "$0"; printf "%s|%s" "$settings_key" "${PANTS_PYTHON_REPOS_INDEXES-}"'
    )
    command = ["/bin/bash", "-c", shell, str(kept), "the 'key'"]
    seen = subprocess.run(command, env={}, check=True, stdout=subprocess.PIPE, text=True).stdout
    assert seen == f"the 'key'|{[index]!r}"
    environ = {"PANTS_PYTHON_REPOS_INDEXES": "the user's own setting"}
    seen = subprocess.run(
        command, env=environ, check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    assert seen == "the 'key'|the user's own setting"
    # Settings that were stored for another key must not hide those that are read anew.
    command[-1] = "another key"
    seen = subprocess.run(command, env={}, check=True, stdout=subprocess.PIPE, text=True).stdout
    assert seen == "the 'key'|"
