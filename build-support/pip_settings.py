"""Print pip's index, proxy and certificate settings as shell assignments for Pants and uv.

Usage: pip_settings.py [FILE KEY], run by a Python that has pip. With FILE, the output is also
stored there together with KEY, so the launcher runs this script only when something has changed.
Variables of Pants or uv that the user has set are not changed.
"""

from __future__ import annotations

import ast
import os
import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

_PYPI = "https://pypi.org/simple/"
# Later sections take precedence, as in pip.
_SECTIONS = ("global", "install", ":env:")
# These are the variables that pip's HTTP library falls back to.
_CERTIFICATE_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
_TRUE = ("1", "true", "yes", "on", "t", "y")


def parse(listing: str) -> dict[str, str]:
    """Return the effective settings of ``pip config list`` (lines ``section.name='value'``)."""
    ranked: dict[str, tuple[int, str]] = {}
    for line in listing.splitlines():
        name, separator, value = line.partition("=")
        section, _, option = name.rpartition(".")
        if not separator or section not in _SECTIONS:
            continue
        candidate = (_SECTIONS.index(section), str(ast.literal_eval(value)))
        if option not in ranked or ranked[option][0] <= candidate[0]:
            ranked[option] = candidate
    return {option: value for option, (_, value) in ranked.items()}


def _absolute(location: str) -> str:
    return location if "://" in location else str(Path(location).expanduser().absolute())


def variables(settings: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables with which Pants and its tools follow ``settings``."""
    result: dict[str, str] = {}
    indexes = [
        *settings.get("index-url", _PYPI).split(),
        *settings.get("extra-index-url", "").split(),
    ]
    if settings.get("no-index", "").lower() in _TRUE:
        indexes = []
    if indexes != [_PYPI]:
        result["PANTS_PYTHON_REPOS_INDEXES"] = repr(indexes)
    if indexes:
        result["UV_DEFAULT_INDEX"] = indexes[0]
    links = [_absolute(link) for link in settings.get("find-links", "").split()]
    if links:
        result["PANTS_PYTHON_REPOS_FIND_LINKS"] = repr(links)
    certificates = [settings.get("cert"), *map(environ.get, _CERTIFICATE_VARIABLES)]
    for file in certificates:
        if file and Path(file).is_file():
            result |= dict.fromkeys(
                ("PANTS_CA_CERTS_PATH", "SSL_CERT_FILE"), str(Path(file).absolute())
            )
            break
    if "proxy" in settings:
        result |= dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY"), settings["proxy"])
    return result


def script(assignments: Mapping[str, str], key: str) -> str:
    """Return a shell script that sets ``settings_key``, and exports the variables that are not set.

    It exports nothing if the shell's variable ``key`` is another one: then the settings are stale.
    """
    lines: Iterable[str] = (
        f"  [[ -n ${{{name}+set}} ]] || export {name}={shlex.quote(value)}"
        for name, value in assignments.items()
    )
    setting = f"settings_key={shlex.quote(key)}"
    return "\n".join(
        [setting, 'if [[ "$settings_key" == "${key-}" ]]; then', "  :", *lines, "fi\n"]
    )


def main() -> None:
    """Print the script for pip's settings and, if a file is given, store it there atomically."""
    file, key = sys.argv[1:] or ("", "")
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list"]
    listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    text = script(variables(parse(listing), os.environ), key)
    if file:
        partial = Path(f"{file}.{os.getpid()}")
        partial.touch(mode=0o600)  # The address of an index may contain a password.
        partial.write_text(text)
        partial.replace(file)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
