"""Functions that a target names as "package.module:function", found and called."""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from exporters.errors import ExportError


def find(reference: str, field: str) -> Callable[..., Any]:
    """The function that `reference`, the value of a target's `field`, names.

    Raises:
        ExportError: the module or the function does not exist. What goes wrong inside the module
            is raised as it is: its author needs the traceback.
    """
    module_name, _, name = reference.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise ExportError(
            f"{field} = {reference!r}: there is no module {error.name}. Correct the name; it is "
            "`package.module:function`, relative to a source root."
        ) from error
    function = getattr(module, name, None)
    if not callable(function):
        public = [key for key, value in vars(module).items() if callable(value) and key[0] != "_"]
        raise ExportError(
            f"{field} = {reference!r}: {module_name} has no function {name!r}"
            f"{did_you_mean(name, public)}."
        )
    found: Callable[..., Any] = function
    return found


def call(
    function: Callable[..., Any],
    reference: str,
    positional: Sequence[Any],
    options: Mapping[str, Any],
) -> Any:
    """`function(*positional, **options)`, once its signature is known to take the options.

    Raises:
        ExportError: an option that the function does not have, or one that it lacks.
    """
    known, open_ended = _options(function, len(positional))
    for name in options:
        if name not in known and not open_ended:
            listed = f"It takes {', '.join(known)}." if known else "It takes none."
            raise ExportError(
                f"{reference} has no option {name!r}{did_you_mean(name, known)}. {listed}"
            )
    try:
        inspect.signature(function).bind(*positional, **options)
    except TypeError as error:
        raise ExportError(f"{reference} cannot be called with these options: {error}.") from error
    return function(*positional, **options)


def accepted(
    function: Callable[..., Any], options: Mapping[str, Any], *, positional: int
) -> dict[str, Any]:
    """Those of `options` that a function of so many positional arguments takes."""
    known, open_ended = _options(function, positional)
    return {name: value for name, value in options.items() if open_ended or name in known}


def _options(function: Callable[..., Any], positional: int) -> tuple[list[str], bool]:
    """The names of a function's options, and whether it takes any others too."""
    parameters = list(inspect.signature(function).parameters.values())
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return (
        [each.name for each in parameters[positional:] if each.kind in named],
        any(each.kind is each.VAR_KEYWORD for each in parameters),
    )


def did_you_mean(name: str, known: Collection[str]) -> str:
    """(did you mean 'sequence'?) when something known is close to `name`, else nothing."""
    close = difflib.get_close_matches(name, sorted(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
