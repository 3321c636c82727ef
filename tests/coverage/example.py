"""Examples that show whether a public symbol converts, and short forms to write them.

UNARY = f(3, 4)
each(jnp, "sin cos tan", UNARY)
each(jnp, "sum prod", f(3, 4), variants=({}, {"axis": 1}, {"axis": 0, "keepdims": True}))
of("clip", lambda x: jnp.clip(x, -1, 1), f(3, 4))
layer("Linear", lambda: nnx.Linear(4, 3, rngs=nnx.Rngs(0)), f(2, 4))
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

Batch = Literal["leading", "mapped"]
Variants = tuple[Mapping[str, Any], ...]
"""The keywords of each variant."""


@dataclass(frozen=True)
class Arg:
    """An array input of an example.

    Attributes:
        shape: the shape.
        kind: ``f``, ``i``, ``u``, ``b``, ``c`` for floats, integers, unsigned, booleans and complex
            numbers in the mode's precision, or the name of a dtype, which is the same in all modes.
        low: the lowest value.
        high: the exclusive upper bound of values.
        fixed: whether its leading axis is not a batch axis.
    """

    shape: tuple[int, ...]
    kind: str
    low: float | None = None
    high: float | None = None
    fixed: bool = False

    def draw(self, random: np.random.Generator, double: bool) -> Any:
        """Return an array of random numbers, which are the same on every machine."""
        width = "64" if double else "32"
        names = {"f": "float", "i": "int", "u": "uint"}
        if self.kind == "b":
            return random.integers(0, 2, self.shape).astype(np.bool_)
        if self.kind == "c":
            parts = [self._floats(random) for _ in range(2)]
            return (parts[0] + 1j * parts[1]).astype("complex128" if double else "complex64")
        dtype = np.dtype(names[self.kind] + width if self.kind in names else self.kind)
        if dtype.kind in "iu":
            low = 0 if self.low is None else int(self.low)
            high = 5 if self.high is None else int(self.high)
            return random.integers(low, high, self.shape).astype(dtype)
        return np.asarray(self._floats(random)).astype(dtype)

    def _floats(self, random: np.random.Generator) -> Any:
        low, high = self.low, self.high
        if low is None and high is None:
            return random.normal(size=self.shape)
        return random.uniform(
            -2.0 if low is None else low, 2.0 if high is None else high, self.shape
        )


def _maker(kind: str) -> Callable[..., Arg]:
    def make(
        *shape: int,
        low: float | None = None,
        high: float | None = None,
        fixed: bool = False,
        dtype: str = kind,
    ) -> Arg:
        return Arg(shape, dtype, low, high, fixed)

    return make


f, i, u, b, c = map(_maker, "fiubc")


def key() -> Arg:
    """Return the two words of a random key as an input."""
    return Arg((2,), "uint32", 0, 2**32 - 1, fixed=True)


@dataclass(frozen=True)
class Example:
    """One use of a public symbol.

    Attributes:
        symbol: its name in the library.
        make: returns the callable to convert.
        inputs: the inputs of the call.
        variant: a label that distinguishes it from other examples of the symbol.
        batch: the batch axis in the mode ``symbolic``: the leading axis of the inputs
            (``leading``), or a new first axis over which the callable is mapped (``mapped``).
        tolerance: tolerances for f32 and f64, where these are wider than those of the dtypes.
        skip: modes that do not apply to the symbol, such as ``vmap`` without inputs.
    """

    symbol: str
    make: Callable[[], Any]
    inputs: tuple[Arg, ...] = ()
    variant: str = ""
    batch: Batch = "leading"
    tolerance: tuple[float, float] | None = None
    skip: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """The symbol and the variant, which identify the example in tests and tables."""
        kinds = "".join(arg.kind for arg in self.inputs)
        special = "" if set(kinds) <= {"f"} else kinds
        variant = ",".join(filter(None, (self.variant, special)))
        return f"{self.symbol}[{variant}]" if variant else self.symbol


def of(
    symbols: str,
    fn: Callable[..., Any],
    *inputs: Arg,
    variant: str = "",
    batch: Batch = "leading",
    tolerance: tuple[float, float] | None = None,
    skip: Sequence[str] = (),
) -> list[Example]:
    """Return the function ``fn`` as an example of each of the symbols."""
    return [
        Example(s, lambda: fn, inputs, variant, batch, tolerance, frozenset(skip))
        for s in symbols.split()
    ]


def layer(
    symbols: str,
    make: Callable[[], Any],
    *inputs: Arg,
    variant: str = "",
    batch: Batch = "leading",
    tolerance: tuple[float, float] | None = None,
    skip: Sequence[str] = (),
) -> list[Example]:
    """Return the lazy result of ``make`` as an example of each of the symbols."""
    return [
        Example(s, make, inputs, variant, batch, tolerance, frozenset(skip))
        for s in symbols.split()
    ]


def mapped(examples: Iterable[Example]) -> list[Example]:
    """Return examples of single samples, which are mapped over a symbolic batch."""
    return [replace(e, batch="mapped", skip=e.skip - {"symbolic"}) for e in examples]


def using(make: Callable[[], Any], call: Callable[..., Any]) -> Callable[[], Any]:
    """Return a factory of ``call`` with the result of ``make`` as its first argument."""
    return lambda: functools.partial(call, make())


def each(
    library: Any,
    symbols: str,
    *inputs: Arg,
    variants: Iterable[Mapping[str, Any]] = ({},),
    **options: Any,
) -> Iterator[Example]:
    """Yield examples of several functions on the same inputs, with each set of keywords."""
    for symbol in symbols.split():
        for keywords in variants:
            yield from of(
                symbol,
                with_keywords(getattr(library, symbol), **keywords),
                *inputs,
                variant=described(keywords),
                **options,
            )


def present(library: Any, symbols: str) -> str:
    """Return those of the symbols that this release of the library has."""
    return " ".join(symbol for symbol in symbols.split() if hasattr(library, symbol))


def with_keywords(fn: Callable[..., Any], **keywords: Any) -> Callable[..., Any]:
    """Return ``fn`` with keywords that are not inputs."""
    if not keywords:
        return fn

    def called(*args: Any) -> Any:
        return fn(*args, **keywords)

    return called


def described(keywords: Mapping[str, Any]) -> str:
    """Return the name of a variant with these keywords."""
    return ",".join(f"{k}={getattr(v, '__name__', v)}" for k, v in keywords.items()).replace(
        " ", ""
    )


def made(
    library: Any,
    symbol: str,
    arguments: Sequence[Any],
    *inputs: Arg,
    always: Callable[[], Mapping[str, Any]] = dict,
    variants: Iterable[Mapping[str, Any]] = ({},),
    **options: Any,
) -> list[Example]:
    """Return examples of a layer, with each set of its constructor's keywords.

    Args:
        library: the module of the layer's class.
        symbol: the name of the class.
        arguments: the positional arguments of the constructor.
        inputs: the inputs of the layer.
        always: returns the keywords of every variant, such as a random key, when they are needed.
        variants: the keywords of each variant.
        options: options of ``layer``.
    """

    def make(keywords: Mapping[str, Any]) -> Any:
        return getattr(library, symbol)(*arguments, **{**always(), **keywords})

    return [
        example
        for keywords in variants
        for example in layer(
            symbol,
            functools.partial(make, keywords),
            *inputs,
            variant=described(keywords),
            **options,
        )
    ]
