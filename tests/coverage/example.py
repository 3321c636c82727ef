"""An example: what is converted to show that a public symbol works, and how it is told tersely.

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
"""Keywords of each variant."""


@dataclass(frozen=True)
class Arg:
    """One array that an example is run with.

    Attributes:
        shape: its extents.
        kind: ``f``, ``i``, ``u``, ``b``, ``c`` for floats, integers, unsigned, booleans and complex
            numbers of the width that the mode has, or the name of a dtype, which no mode changes.
        low: least value.
        high: no value reaches it.
        fixed: its leading axis is no batch.
    """

    shape: tuple[int, ...]
    kind: str
    low: float | None = None
    high: float | None = None
    fixed: bool = False

    def draw(self, random: np.random.Generator, double: bool) -> Any:
        """An array of numbers that are the same on every machine."""
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
    """The two words of a random key."""
    return Arg((2,), "uint32", 0, 2**32 - 1, fixed=True)


@dataclass(frozen=True)
class Example:
    """One use of a public symbol.

    Attributes:
        symbol: its name in the library.
        make: makes what is converted.
        inputs: what it is called with.
        variant: what sets it apart from other examples of the symbol.
        batch: with a symbolic batch, the leading axis of inputs is one (``leading``), or an axis is
            put in front of all and the callable is mapped over it (``mapped``).
        tolerance: for f32 and f64, where it is wider than that of the dtype.
        skip: modes that the symbol has no meaning in, such as ``vmap`` without inputs.
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
        """Symbol and what sets the example apart, as tests and tables call it."""
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
    """The function ``fn`` as an example of each of the symbols."""
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
    """What ``make`` gives, once it is needed, as an example of each of the symbols."""
    return [
        Example(s, make, inputs, variant, batch, tolerance, frozenset(skip))
        for s in symbols.split()
    ]


def mapped(examples: Iterable[Example]) -> list[Example]:
    """Examples of one sample each: with a symbolic batch, they are mapped over it."""
    return [replace(e, batch="mapped", skip=e.skip - {"symbolic"}) for e in examples]


def using(make: Callable[[], Any], call: Callable[..., Any]) -> Callable[[], Any]:
    """Makes ``call`` with what ``make`` gives in front of its inputs."""
    return lambda: functools.partial(call, make())


def each(
    library: Any,
    symbols: str,
    *inputs: Arg,
    variants: Iterable[Mapping[str, Any]] = ({},),
    **options: Any,
) -> Iterator[Example]:
    """Each of the library's functions on the same inputs, with every choice of keywords."""
    for symbol in symbols.split():
        for keywords in variants:
            yield from of(
                symbol,
                with_keywords(getattr(library, symbol), **keywords),
                *inputs,
                variant=described(keywords),
                **options,
            )


def with_keywords(fn: Callable[..., Any], **keywords: Any) -> Callable[..., Any]:
    """``fn`` with keywords that are no inputs."""
    if not keywords:
        return fn

    def called(*args: Any) -> Any:
        return fn(*args, **keywords)

    return called


def described(keywords: Mapping[str, Any]) -> str:
    """Keywords as a variant's name."""
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
    """A layer with every choice of its constructor's keywords.

    Args:
        library: where the layer's class is.
        symbol: its name.
        arguments: positional ones of the constructor.
        inputs: what the layer is called with.
        always: gives the keywords of every variant, such as a random key, once they are needed.
        variants: keywords of each variant.
        options: of `layer`.
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
