"""Let a model compute as it does in inference: without dropout, with running statistics.

Layers decide by flags, such as ``deterministic`` of Flax and ``inference`` of Equinox. While a
model is traced, every flag that is an attribute of a module reads as it does in inference, wherever
the module lies: in a pytree, in a closure, or in a jit. The modules themselves do not change. A
flag that a call is given stands.

- The modules of Flax NNX and Equinox get a data descriptor for each flag. The attribute of a module
  in its ``__dict__`` is neither changed nor lost.
- The calls of Flax Linen modules are intercepted by ``flax.linen.intercept_methods``.

The mode is part of the keys of JAX's caches, so that a jit that was traced here is traced again
where the model is trained, and the other way round.
"""

import contextlib
import functools
import inspect
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core
from jax.interpreters import batching

from jax2onnx.trace.frameworks.callables import is_linen_module, linen_pair, signature

FLAGS: Mapping[str, bool] = MappingProxyType(
    {
        "deterministic": True,
        "inference": True,
        "is_training": False,
        "train": False,
        "training": False,
        "use_running_average": True,
    }
)
"""Names of flags, each with its value in inference."""

# Made when the module is imported: a new context empties the caches of JAX.
_SWITCHED = jax.make_user_context(False)
_MISSING = object()
_LOCK = threading.Lock()
_DESCRIBED: list[tuple[type, str, object]] = []
_ACTIVE = [0]


@contextlib.contextmanager
def mode(training: bool) -> Iterator[None]:
    """Return a context in which the modules that are called compute as in inference.

    Args:
        training: leave the modules as they are instead.
    """
    if training:
        yield
        return
    linen = sys.modules.get("flax.linen")
    calls = linen.intercept_methods(_intercept) if linen else contextlib.nullcontext()
    with _SWITCHED(True), _descriptors(), calls:
        yield


def with_flags(fn: Any, args: Collection[Any], keywords: Collection[str]) -> Any:
    """Return a module with the flags of its signature that a call leaves out, as in inference.

    Args:
        fn: a callable or a Flax Linen pair, as ``to_onnx`` takes it.
        args: the positional arguments of the call.
        keywords: the names of its keyword arguments.
    """
    pair, called = linen_pair(fn), fn
    if pair is not None:
        called = functools.partial(pair[0].apply, pair[1])
    given, owner = set(keywords), called
    while isinstance(owner, functools.partial):
        given |= set(owner.keywords)
        owner = owner.func
    if not _is_module(getattr(owner, "__self__", owner)):
        return fn
    known = signature(called)
    parameters = list(known.parameters.values())[len(args) :] if known else ()
    flags = _left_out({p.name: p for p in parameters}, given)
    return functools.partial(called, **flags) if flags else fn


def _left_out(
    parameters: Mapping[str, inspect.Parameter], given: Collection[str]
) -> dict[str, bool]:
    """Return the flags among ``parameters`` that are not given; None stands for an attribute."""
    opposite = {name: (inspect.Parameter.empty, not value) for name, value in FLAGS.items()}
    return {
        name: value
        for name, value in FLAGS.items()
        if name in parameters and name not in given
        if any(parameters[name].default is default for default in opposite[name])
    }


def _is_module(owner: object) -> bool:
    return is_linen_module(owner) or isinstance(owner, tuple(_roots()))


def _roots() -> list[type]:
    """Return the base classes of modules in the frameworks that the user has imported."""
    found = map(sys.modules.get, ("flax.nnx", "equinox"))
    return [framework.Module for framework in found if framework is not None]


def _is_flag(value: object) -> bool:
    return value is None or isinstance(value, bool)


# -- Flax NNX and Equinox ------------------------------------------------------------------------


class _Flag:
    """An attribute of modules that reads as in inference where the mode is switched.

    Args:
        name: its name.
        default: the value that the class has for modules without one; ``_MISSING`` if none.
    """

    def __init__(self, name: str, default: object) -> None:
        self._name, self._default = name, default

    def __get__(self, module: Any, owner: type) -> object:
        own = {} if module is None else vars(module)
        value = own.get(self._name, self._default)
        if value is _MISSING:
            raise AttributeError(f"{owner.__name__!r} object has no attribute {self._name!r}")
        switched = module is not None and _SWITCHED.value and _is_flag(value)
        return FLAGS[self._name] if switched else value

    def __set__(self, module: Any, value: object) -> None:
        vars(module)[self._name] = value

    def __delete__(self, module: Any) -> None:
        if vars(module).pop(self._name, _MISSING) is _MISSING:
            raise AttributeError(self._name)


@contextlib.contextmanager
def _descriptors() -> Iterator[None]:
    """Return a context in which module classes have the descriptors; it can be entered twice."""
    with _LOCK:
        _ACTIVE[0] += 1
        if _ACTIVE[0] == 1:
            _describe()
    try:
        yield
    finally:
        with _LOCK:
            _ACTIVE[0] -= 1
            if not _ACTIVE[0]:
                _restore()


def _describe() -> None:
    if equinox := sys.modules.get("equinox"):
        layer = equinox.nn.Dropout
        _DESCRIBED.append((layer, "__call__", layer.__call__))
        type.__setattr__(layer, "__call__", _without_key(layer.__call__))
    for root in _roots():
        for cls in _subclasses(root):
            for name in FLAGS:
                default = vars(cls).get(name, _MISSING)
                if _is_flag(default) or (cls is root and not hasattr(cls, name)):
                    _DESCRIBED.append((cls, name, default))
                    type.__setattr__(cls, name, _Flag(name, default))


def _restore() -> None:
    while _DESCRIBED:
        cls, name, default = _DESCRIBED.pop()
        if default is _MISSING:
            type.__delattr__(cls, name)
        else:
            type.__setattr__(cls, name, default)


def _subclasses(root: type) -> set[type]:
    found, todo = {root}, [root]
    while todo:
        new = set(type.__subclasses__(todo.pop())) - found
        found |= new
        todo.extend(new)
    return found


dropout_p = core.Primitive("dropout")
"""The elements of an array that ONNX's Dropout keeps; it needs no key."""

dropout_p.def_abstract_eval(lambda x, **_: x.update(dtype=jnp.dtype(bool), weak_type=False))
batching.primitive_batchers[dropout_p] = lambda xs, dims, **rate: (
    dropout_p.bind(*xs, **rate),
    *dims,
)


def _without_key(call: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``Dropout.__call__`` of Equinox such that a flag of the call needs no key."""

    @functools.wraps(call)
    def wrapper(self: Any, x: Any, *, key: Any = None, inference: Any = None, **old: Any) -> Any:
        drops = inference is not None and inference is not True and self.p != 0
        if drops and key is None and _SWITCHED.value and isinstance(x, jax.core.Tracer):
            kept = dropout_p.bind(x, rate=float(self.p))
            return jnp.where(inference, x, jnp.where(kept, x / (1 - self.p), 0))
        return call(self, x, key=key, inference=inference, **old)

    return wrapper


# -- Flax Linen ----------------------------------------------------------------------------------


def _intercept(
    call: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], context: Any
) -> Any:
    """Call a method of a Flax Linen module as in inference, unless the call asks for training."""
    if not _SWITCHED.value:
        return call(*args, **kwargs)
    known = inspect.signature(context.orig_method)
    try:
        bound = known.bind_partial(*args, **kwargs)
    except TypeError:  # the call below says what is wrong
        return call(*args, **kwargs)
    given = {n: v for n, v in {**bound.arguments, **kwargs}.items() if v is not None}
    if any(given.get(name, value) is not value for name, value in FLAGS.items()):
        with _SWITCHED(False):
            return call(*args, **kwargs)
    module, own = context.module, {}
    for name, value in FLAGS.items():
        if name not in given and _is_flag(vars(module).get(name, _MISSING)):
            own[name] = vars(module)[name]
            object.__setattr__(module, name, value)
    try:
        return call(*args, **kwargs, **_left_out(known.parameters, bound.arguments))
    finally:
        for name, value in own.items():
            object.__setattr__(module, name, value)
