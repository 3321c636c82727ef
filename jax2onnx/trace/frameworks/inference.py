"""Let a model compute as it does in inference: without dropout, with running statistics.

Layers decide by flags, such as ``deterministic`` of Flax and ``inference`` of Equinox. While a
model is traced, every flag that is an attribute of a module reads as it does in inference, and so
does a flag in the signature of a module's method that a call leaves out. This holds wherever the
module lies: in a pytree, in a closure, or in a jit. The modules themselves do not change. A flag
that a call is given stands.

- The module classes of Flax NNX and Equinox get a data descriptor for each flag. The attribute of a
  module in its ``__dict__`` is neither changed nor lost. Methods with flags are wrapped.
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

FLAGS: Mapping[str, bool] = MappingProxyType(
    {
        "deterministic": True,
        "inference": True,
        "is_training": False,
        "train": False,
        "training": False,
        "update_stats": False,
        "use_running_average": True,
    }
)
"""Names of flags, each with its value in inference."""

# "training", "inference", or "keyless": inference in which a dropout may draw without a key. Made
# when this module is imported, as a new context empties the caches of JAX.
_MODE = jax.make_user_context("training")
_MISSING = object()
_LOCK = threading.Lock()
_REPLACED: list[tuple[type, str, object]] = []
_ACTIVE = [0]


@contextlib.contextmanager
def mode(training: bool, keyless: bool = False) -> Iterator[None]:
    """Return a context in which the modules that are called compute as in inference.

    Args:
        training: leave the modules as they are instead.
        keyless: let ``equinox.nn.Dropout`` draw without a key where its flag asks for that.
    """
    if training:
        yield
        return
    linen = sys.modules.get("flax.linen")
    calls = linen.intercept_methods(_intercept) if linen else contextlib.nullcontext()
    with _MODE("keyless" if keyless else "inference"), _replaced_attributes(), calls:
        yield


def missing_flags(
    parameters: Mapping[str, inspect.Parameter], given: Collection[str]
) -> dict[str, bool]:
    """Return the flags that a call leaves out, with their values in inference.

    Flags whose default is that value are not among them, nor are those that are None by default: an
    attribute of the module stands in for these.

    Args:
        parameters: the parameters that the call can give, by name.
        given: the names of those that it gives.
    """
    return {
        name: value
        for name, value in FLAGS.items()
        if name in parameters and name not in given
        if any(parameters[name].default is d for d in (inspect.Parameter.empty, not value))
    }


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
        switched = module is not None and _MODE.value != "training" and _is_flag(value)
        return FLAGS[self._name] if switched else value

    def __set__(self, module: Any, value: object) -> None:
        vars(module)[self._name] = value

    def __delete__(self, module: Any) -> None:
        if vars(module).pop(self._name, _MISSING) is _MISSING:
            raise AttributeError(self._name)


def _with_flags(method: Any) -> Callable[..., Any]:
    """Return a method that fills in the flags of its signature that a call leaves out."""

    @functools.wraps(method)
    def wrapper(self: Any, *args: Any, **keywords: Any) -> Any:
        if _MODE.value != "training":
            parameters = inspect.signature(method).parameters
            given = {*list(parameters)[: len(args) + 1], *keywords}
            keywords |= missing_flags(parameters, given)
        return method.__get__(self, type(self))(*args, **keywords)

    return wrapper


@contextlib.contextmanager
def _replaced_attributes() -> Iterator[None]:
    """Return a context in which module classes have other attributes; it can be entered twice."""
    with _LOCK:
        _ACTIVE[0] += 1
        if _ACTIVE[0] == 1:
            for root in _roots():
                for cls in _subclasses(root):
                    _replace_attributes(cls, cls is root)
    try:
        yield
    finally:
        with _LOCK:
            _ACTIVE[0] -= 1
            if not _ACTIVE[0]:
                _restore_attributes()


def _replace_attributes(cls: type, root: bool) -> None:
    """Replace the flags of a class, and its methods with flags in their signatures."""
    own = dict(vars(cls))
    new: dict[str, object] = {}
    for name in FLAGS:
        default = own.get(name, _MISSING)
        if _is_flag(default) or (root and not hasattr(cls, name)):
            new[name] = _Flag(name, default)
    for name, method in own.items():
        if name == "__call__" or not (name.startswith("__") or isinstance(method, staticmethod)):
            bound = callable(method) and hasattr(method, "__get__")
            code = getattr(inspect.unwrap(method), "__code__", None) if bound else None
            if code is not None and not FLAGS.keys().isdisjoint(code.co_varnames):
                new[name] = _with_flags(method)
    if cls is getattr(sys.modules.get("equinox.nn"), "Dropout", None):
        new["__call__"] = _without_key(own["__call__"])
    for name, value in new.items():
        _REPLACED.append((cls, name, own.get(name, _MISSING)))
        type.__setattr__(cls, name, value)


def _restore_attributes() -> None:
    while _REPLACED:
        cls, name, value = _REPLACED.pop()
        if value is _MISSING:
            type.__delattr__(cls, name)
        else:
            type.__setattr__(cls, name, value)


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
        if drops and key is None and _MODE.value == "keyless" and isinstance(x, jax.core.Tracer):
            kept = dropout_p.bind(x, rate=float(self.p))
            return jnp.where(inference, x, jnp.where(kept, x / (1 - self.p), 0))
        return call(self, x, key=key, inference=inference, **old)

    return wrapper


# -- Flax Linen ----------------------------------------------------------------------------------


def _intercept(
    call: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], context: Any
) -> Any:
    """Call a method of a Flax Linen module as in inference, unless the call asks for training."""
    if _MODE.value == "training":
        return call(*args, **kwargs)
    known = inspect.signature(context.orig_method)
    try:
        bound = known.bind_partial(*args, **kwargs)
    except TypeError:  # the call below says what is wrong
        return call(*args, **kwargs)
    given = {n: v for n, v in {**bound.arguments, **kwargs}.items() if v is not None}
    asked = [(given.get(name, value), value) for name, value in FLAGS.items()]
    if any(flag is not value and not getattr(flag, "shape", ()) for flag, value in asked):
        with _MODE("training"):
            return call(*args, **kwargs)
    module, own = context.module, {}
    for name, value in FLAGS.items():
        if name not in given and _is_flag(vars(module).get(name, _MISSING)):
            own[name] = vars(module)[name]
            object.__setattr__(module, name, value)
    try:
        return call(*args, **kwargs, **missing_flags(known.parameters, bound.arguments))
    finally:
        for name, value in own.items():
            object.__setattr__(module, name, value)
