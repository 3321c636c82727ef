"""A strict reader of config.json: it refuses every key and value that it does not understand."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, NoReturn

from exporters.errors import ExportError
from weights.rendering import quoted

# Keys that transformers writes for every architecture. None of them changes results at inference.
_BOOKKEEPING = frozenset(
    {
        "_name_or_path",
        "architectures",
        "chunk_size_feed_forward",
        "dtype",
        "gradient_checkpointing",
        "id2label",
        "initializer_range",
        "label2id",
        "output_attentions",
        "output_hidden_states",
        "problem_type",
        "return_dict",
        "torch_dtype",
        "transformers_version",
        "use_cache",
    }
)


MOST_ELEMENTS = 1 << 24
"""The largest extent in a config. Some become tables before any tensor is compared with them."""

MOST_LAYERS = 10_000
"""The largest number of layers in a config; the checkpoint has to hold them all the same."""

_MOST_NUMBER = 1e38  # as a float32 holds it


class ConfigReader:
    """A reader that takes the keys of a config.json one by one, and finally refuses the others.

    Every method raises ``ExportError``, which names the file, the key, its value and the remedy.

    Args:
        values: the content of the file.
        file: the name of the file, for errors.
    """

    def __init__(self, values: Mapping[str, Any], file: str) -> None:
        self._values = values
        self._file = file
        self._taken = set(_BOOKKEEPING)

    def refuse(self, key: str, why: str) -> NoReturn:
        """Raise the error that the value of a key is not supported; ``why`` is "must be ..."."""
        value = quoted(self._values.get(key))
        raise ExportError(f"{self._file}: {key} is {value}, but it {why}.")

    def choice(self, key: str, supported: Collection[Any]) -> Any:
        """Return the value of a key, which must be one of those supported."""
        value = self._take(key)
        if not any(type(value) is type(one) and value == one for one in supported):
            listed = " or ".join(repr(one) for one in sorted(supported, key=repr))
            self.refuse(
                key,
                f"must be {listed} here: export a checkpoint of that kind, or add support for it",
            )
        return value

    def fixed(self, key: str, value: Any) -> None:
        """Check that a key is absent or has the one supported value."""
        if key in self._values:
            self.choice(key, [value])

    def integer(self, key: str, *, minimum: int = 1) -> int:
        """Return the value of a key, which must be an integer."""
        value = self._take(key)
        if type(value) is not int or not minimum <= value <= MOST_ELEMENTS:
            self.refuse(
                key,
                f"must be an integer of at least {minimum}, at most {MOST_ELEMENTS:,}: {_RESTORE}",
            )
        return value

    def layers(self, key: str) -> int:
        """Return the value of a key, which must be a number of layers."""
        value = self.integer(key)
        if value > MOST_LAYERS:
            self.refuse(key, f"must be at most {MOST_LAYERS:,}: {_RESTORE}")
        return value

    def integers(self, key: str) -> tuple[int, ...]:
        """Return the value of a key, which must be a list of positive integers."""
        value = self._take(key)
        if not (
            isinstance(value, list)
            and 0 < len(value) <= MOST_LAYERS
            and all(type(n) is int and 0 < n <= MOST_ELEMENTS for n in value)
        ):
            self.refuse(key, f"must be a list of positive integers: {_RESTORE}")
        return tuple(value)

    def pair(self, key: str) -> tuple[int, int]:
        """Return (height, width); the value is ``[height, width]``, or one integer for both."""
        value = self._take(key)
        both = [value, value] if type(value) is int else value
        if not (
            isinstance(both, list)
            and len(both) == 2
            and all(type(n) is int and 0 < n <= MOST_ELEMENTS for n in both)
        ):
            self.refuse(key, f"must be a positive integer or [height, width]: {_RESTORE}")
        return both[0], both[1]

    def positive(self, key: str) -> float:
        """Return the value of a key, which must be a finite number above 0."""
        value = self._take(key)
        if type(value) not in (int, float) or not 0 < value < _MOST_NUMBER:
            self.refuse(key, f"must be a positive number: {_RESTORE}")
        return float(value)

    def flag(self, key: str) -> bool:
        """Return the value of a key, which must be true or false."""
        value = self._take(key)
        if type(value) is not bool:
            self.refuse(key, f"must be true or false: {_RESTORE}")
        return value

    def section(self, key: str, defaults: Mapping[str, Any] = MappingProxyType({})) -> ConfigReader:
        """Return a reader of the object under a key, with defaults; ``finish`` it too."""
        value = self._take(key)
        if not isinstance(value, Mapping):
            self.refuse(key, f"must be an object: {_RESTORE}")
        return ConfigReader({**defaults, **value}, f"{self._file}: {key}")

    def finish(self, irrelevant: Collection[str]) -> None:
        """Refuse the keys that were not taken and are not known to be irrelevant at inference."""
        for key in sorted(self._values.keys() - self._taken - set(irrelevant)):
            self.refuse(
                key,
                "is not known to this exporter and might change the model: if it has no effect at "
                "inference, add it to the irrelevant keys in the family's config.py",
            )

    def _take(self, key: str) -> Any:
        if key not in self._values:
            raise ExportError(f"{self._file} has no {key!r}, which the model needs: {_RESTORE}.")
        self._taken.add(key)
        return self._values[key]


_RESTORE = "restore the config.json that was published with the weights"
