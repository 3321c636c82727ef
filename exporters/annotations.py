"""Checking options, which come from BUILD files and command lines, against annotations."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


def hints(function: Callable[..., Any]) -> Mapping[str, Any]:
    """Return the annotations of a function; none if one names a type that cannot be found."""
    try:
        return get_type_hints(function)
    except NameError:  # a type that is imported for type checkers alone
        return {}


def accepts(hint: Any, value: object) -> bool:
    """Return whether a JSON value suits an annotation. Kinds that JSON lacks accept everything.

    Args:
        hint: an annotation: bool, int, float, str, None, Any, or a Literal, Union, Sequence or
            Mapping of these.
        value: the value. True and False are no numbers, and a whole number is a float as well.
    """
    kind, arguments = get_origin(hint), get_args(hint)
    if kind in (Union, types.UnionType):
        return any(accepts(each, value) for each in arguments)
    if kind is Literal:
        return any(value == each and type(value) is type(each) for each in arguments)
    if hint in (None, type(None)):
        return value is None
    if hint in (bool, str):
        return isinstance(value, hint)
    if hint in (int, float):
        whole = isinstance(value, int) and not isinstance(value, bool)
        return whole or (hint is float and isinstance(value, float))
    if isinstance(kind, type) and issubclass(kind, Mapping):
        return isinstance(value, Mapping) and all(accepts(arguments[1], v) for v in value.values())
    if isinstance(kind, type) and issubclass(kind, Sequence):
        items = value if isinstance(value, list | tuple) else None
        return items is not None and all(accepts(arguments[0], each) for each in items)
    return True


def described(hint: Any) -> str:
    """Return an annotation in words: ``a whole number or a text`` for ``int | str``."""
    kind, arguments = get_origin(hint), get_args(hint)
    if kind in (Union, types.UnionType):
        return _either([described(each) for each in arguments])
    if kind is Literal:
        return _either([repr(each) for each in arguments])
    if isinstance(kind, type) and issubclass(kind, Mapping):
        return f"an object whose values are each {described(arguments[1])}"
    if isinstance(kind, type) and issubclass(kind, Sequence):
        return f"a list whose items are each {described(arguments[0])}"
    return "null" if hint in (None, type(None)) else _WORDS.get(hint, str(hint))


def _either(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
