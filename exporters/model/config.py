"""Reads a checkpoint's own config.json: what is not understood is refused, never guessed."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, NoReturn

from exporters.errors import ExportError

# Written by transformers for every architecture; none of them changes what a model computes from
# given weights at inference.
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


class ConfigReader:
    """Takes the keys of one config.json one by one, then refuses the ones that nobody took.

    Every method raises ExportError, naming the file, the key, its value and the remedy.
    """

    def __init__(self, values: Mapping[str, Any], file: str) -> None:
        self._values = values
        self._file = file
        self._taken = set(_BOOKKEEPING)

    def refuse(self, key: str, why: str) -> NoReturn:
        """Raises: the value of `key` is not understood, because it ... ("must be ...")."""
        raise ExportError(f"{self._file}: {key} is {self._values.get(key)!r}, but it {why}.")

    def choice(self, key: str, supported: Collection[Any]) -> Any:
        """The value, which must be one of those supported."""
        value = self._take(key)
        if not any(type(value) is type(one) and value == one for one in supported):
            listed = " or ".join(repr(one) for one in sorted(supported, key=repr))
            self.refuse(
                key,
                f"must be {listed} here: export a checkpoint of that kind, or add support for it",
            )
        return value

    def fixed(self, key: str, value: Any) -> None:
        """Makes sure that `key` is absent, which means `value`, or is `value`."""
        if key in self._values:
            self.choice(key, [value])

    def integer(self, key: str, *, minimum: int = 1) -> int:
        """A whole number."""
        value = self._take(key)
        if type(value) is not int or value < minimum:
            self.refuse(key, f"must be an integer of at least {minimum}: {_RESTORE}")
        return value

    def pair(self, key: str) -> tuple[int, int]:
        """An extent in both directions: `n`, which stands for both, or `[height, width]`."""
        value = self._take(key)
        both = [value, value] if type(value) is int else value
        if not (
            isinstance(both, list)
            and len(both) == 2
            and all(type(n) is int and n > 0 for n in both)
        ):
            self.refuse(key, f"must be a positive integer or [height, width]: {_RESTORE}")
        return both[0], both[1]

    def positive(self, key: str) -> float:
        """A finite number above 0."""
        value = self._take(key)
        if type(value) not in (int, float) or not (math.isfinite(value) and value > 0):
            self.refuse(key, f"must be a positive number: {_RESTORE}")
        return float(value)

    def flag(self, key: str) -> bool:
        """Either true or false."""
        value = self._take(key)
        if type(value) is not bool:
            self.refuse(key, f"must be true or false: {_RESTORE}")
        return value

    def section(self, key: str, defaults: Mapping[str, Any] = MappingProxyType({})) -> ConfigReader:
        """The object under `key`, over `defaults`, to be read and finished like the whole."""
        value = self._take(key)
        if not isinstance(value, Mapping):
            self.refuse(key, f"must be an object: {_RESTORE}")
        return ConfigReader({**defaults, **value}, f"{self._file}: {key}")

    def finish(self, irrelevant: Collection[str]) -> None:
        """Refuses keys that were neither taken nor are known to be without effect at inference."""
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
