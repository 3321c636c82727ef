"""Finding and calling the functions that a target names as ``package.module:function``."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import inspect
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from exporters.annotations import accepts, described, hints
from exporters.errors import ExportError
from weights.rendering import quoted


def find(reference: str, field: str) -> Callable[..., Any]:
    """Return the function that a reference names.

    Args:
        reference: ``package.module:function``.
        field: the field of a target that holds the reference, for messages.

    Raises:
        ExportError: the module or the function does not exist. Any other error of the module is
            raised as it is, because its author needs the traceback.
    """
    module_name, _, name = reference.partition(":")
    if not all(part.isidentifier() for part in module_name.split(".")):
        raise ExportError(
            f"{field} = {reference!r}: there is no module {module_name}. Correct the name; it is "
            "`package.module:function`, relative to a source root."
        )
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
    """Return ``function(*positional, **options)``, after checking the options.

    Args:
        function: the function.
        reference: its name, for messages.
        positional: the positional arguments.
        options: the keyword arguments.

    Raises:
        ExportError: the function does not have one of the options, requires another one, or is
            annotated with other types.
    """
    check_options(function, reference, options, positional=len(positional))
    with no_exit(reference):
        return function(*positional, **options)


def check_options(
    function: Callable[..., Any],
    reference: str,
    options: Mapping[str, Any],
    *,
    positional: int,
) -> None:
    """Check options against the signature and the annotations of a function.

    Args:
        function: the function.
        reference: its name, for messages.
        options: the keyword arguments.
        positional: the number of arguments that are passed by position.

    Raises:
        ExportError: the function does not have one of the options, requires another one, or is
            annotated with other types.
    """
    known, open_ended = _options(function, positional)
    for name in options:
        if name not in known and not open_ended:
            listed = f"It takes {', '.join(known)}." if known else "It takes none."
            raise ExportError(
                f"{reference} has no option {name!r}{did_you_mean(name, known)}. {listed}"
            )
    try:
        inspect.signature(function).bind(*[None] * positional, **options)
    except TypeError as error:
        raise ExportError(f"{reference} cannot be called with these options: {error}.") from error
    annotations = hints(function)
    for name, value in options.items():
        if name in annotations and not accepts(annotations[name], value):
            raise ExportError(
                f"{reference}: {name} is {quoted(value)}: give {described(annotations[name])}."
            )


@contextlib.contextmanager
def no_exit(reference: str) -> Iterator[None]:
    """Raise an error if code that a target names ends the process, which would look like success.

    Args:
        reference: the name of the function, for the message.

    Raises:
        ExportError: the code called ``sys.exit``.
    """
    try:
        yield
    except SystemExit as error:
        raise ExportError(
            f"{reference} ended the process (sys.exit({error.code!r})). Let it return or raise an "
            "error."
        ) from error


def accepted(
    function: Callable[..., Any], options: Mapping[str, Any], *, positional: int
) -> dict[str, Any]:
    """Return the options that a function accepts.

    Args:
        function: the function.
        options: keyword arguments, some of which may be for other functions.
        positional: the number of arguments that are passed by position.
    """
    known, open_ended = _options(function, positional)
    return {name: value for name, value in options.items() if open_ended or name in known}


def _options(function: Callable[..., Any], positional: int) -> tuple[list[str], bool]:
    """Return the names of a function's options, and whether it accepts any others."""
    parameters = list(inspect.signature(function).parameters.values())
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return (
        [each.name for each in parameters[positional:] if each.kind in named],
        any(each.kind is each.VAR_KEYWORD for each in parameters),
    )


def did_you_mean(name: str, known: Collection[str]) -> str:
    """Return ``" (did you mean 'sequence'?)"`` if a known name is close, or else ``""``."""
    close = difflib.get_close_matches(name, sorted(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
