"""Arguments and options that several commands have in common."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

from exporters.cli.locate import default_store
from exporters.errors import ExportError

FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)

Command = TypeVar("Command", bound=Callable[..., Any])


def takes_weights(command: Command) -> Command:
    """Add the argument WEIGHTS to a command, and the options ``--store`` and ``--pins``."""
    store = click.option(
        "--store",
        type=FOLDER,
        envvar="EXPORTERS_STORE",
        default=default_store,
        show_default="~/.cache/onnx-exporters/weights",
        show_envvar=True,
        help="The folder that keeps fetched weights.",
    )
    pins = click.option(
        "--pins", type=FILE, help="Check the files of the folder WEIGHTS against this digest file."
    )
    return click.argument("weights")(store(pins(command)))


def takes_options(command: Command) -> Command:
    """Add the repeatable option ``-O NAME=VALUE`` to a command; see ``parse_options``."""
    return click.option(
        "-O",
        "--option",
        "options",
        multiple=True,
        metavar="NAME=VALUE",
        help="An option of the exporter. VALUE is JSON or plain text. May be given several times.",
    )(command)


def parse_options(options: Iterable[str]) -> dict[str, Any]:
    """Return ``{"batch": 4, "sequence": "T"}`` for ``["batch=4", "sequence=T"]``.

    Raises:
        ExportError: an option is not of the form NAME=VALUE.
    """
    parsed: dict[str, Any] = {}
    for option in options:
        name, separator, text = option.partition("=")
        if not separator or not name:
            raise ExportError(
                f"option {option!r} is not of the form NAME=VALUE. Write, for example, -O batch=4."
            )
        try:
            parsed[name] = json.loads(text)
        except json.JSONDecodeError:
            parsed[name] = text
        except (ValueError, RecursionError) as error:  # thousands of digits or of brackets
            raise ExportError(f"option {name}: {error}. Give a smaller value.") from None
    return parsed
