"""Kinds of field that several target types have."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, ClassVar

from pants.engine.addresses import Address, UnparsedAddressInputs
from pants.engine.target import (
    Field,
    InvalidFieldException,
    InvalidFieldTypeException,
    SpecialCasedDependencies,
    StringField,
)


class FunctionField(StringField):
    """A Python function, as ``module:function``."""

    required = True
    value: str

    _SHAPE: ClassVar[re.Pattern[str]] = re.compile(r"([A-Za-z_]\w*(?:\.\w+)*):([A-Za-z_]\w*)")

    @classmethod
    def compute_value(cls, raw_value: str | None, address: Address) -> str | None:
        value = super().compute_value(raw_value, address)
        if value is not None and not cls._SHAPE.fullmatch(value):
            raise InvalidFieldException(
                f"The {cls.alias!r} field of {address} must name a function as "
                f"'package.module:function', but it is {value!r}."
            )
        return value

    @property
    def module(self) -> str:
        return self.value.partition(":")[0]


# Pants evaluates annotations, and on Python 3.9 `X | None` needs a name for a generic X.
Addresses = tuple[str, ...]
JsonObject = Mapping[str, Any]


class AddressField(SpecialCasedDependencies):
    """The address of one other target.

    The address is one of the target's dependencies, but Python sources behind it are not part of
    the target's own sources.
    """

    required = True

    @classmethod
    def compute_value(  # type: ignore[override]  # narrower: one address
        cls, raw_value: str | None, address: Address
    ) -> Addresses | None:
        given: Any = raw_value
        if given is None:
            return super().compute_value(None, address)
        if not isinstance(given, str) or not given:
            raise InvalidFieldTypeException(
                address, cls.alias, given, expected_type="the address of one target, a string"
            )
        return super().compute_value((given,), address)

    @property
    def inputs(self) -> UnparsedAddressInputs:
        """Return the address in unparsed form; it is empty if the field was left out."""
        return self.to_unparsed_address_inputs()


class JsonField(Field):
    """A dictionary of JSON values.

    The value is canonical JSON, so that it can be hashed and the order of keys does not matter.
    """

    value: str
    default: ClassVar[None] = None

    @classmethod
    def compute_value(cls, raw_value: JsonObject | None, address: Address) -> str:
        value = super().compute_value(raw_value, address)
        if value is None:
            return "{}"
        if not isinstance(value, Mapping):
            raise InvalidFieldTypeException(
                address, cls.alias, raw_value, expected_type="a dictionary"
            )
        try:
            return json.dumps(_plain(value), sort_keys=True, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise InvalidFieldException(
                f"The {cls.alias!r} field of {address} must hold only JSON values: strings, "
                "numbers, booleans, None, lists and dictionaries with strings for keys. "
                f"{error}."
            ) from None

    def parsed(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.value)
        return parsed


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        if odd := [key for key in value if not isinstance(key, str)]:
            raise TypeError(f"The key {odd[0]!r} is not a string")
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
