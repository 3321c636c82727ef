"""The options of ``to_onnx``: name, type, default and documentation of each, in one place.

To add an option, add a field to ``Options`` and read it (``options["name"]``) where it matters.
Nothing else lists options. Type checkers and editors read ``Options`` through ``Unpack``. The
decorator ``with_options`` puts the fields into the signature of ``to_onnx``, and their docstrings
into its docstring. ``to_onnx`` hands all options to ``trace``, ``lower`` and ``rewrite``.
"""

from __future__ import annotations

import ast
import difflib
import functools
import inspect
import itertools
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    TypeAlias,
    TypedDict,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

import onnx_ir as ir

from jax2onnx.errors import InputError

Preference: TypeAlias = Literal["speed", "readable", "decomposed"]
"""Which of two graphs that compute the same is the better one."""

_PREFERRED = {"prefer_native": "readable", "force_decomposed": "decomposed"}

Function = TypeVar("Function", bound=Callable[..., Any])


class Default(NamedTuple):
    """The default value of an option."""

    value: Any


class Options(TypedDict, total=False):
    """Keyword options of ``to_onnx``; an option that is not given has its default."""

    enable_double_precision: Annotated[bool, Default(False)]
    """Trace with 64-bit types. Without it, JAX computes with 32 bits: an example array of float64
    makes a float32 input, and an ``InputSpec`` of float64 is an error."""

    training: Annotated[bool, Default(False)]
    """Convert modules as they are: in training, dropout draws random numbers and batch norms take
    the statistics of the batch. Without it, modules of Equinox, Flax NNX and Flax Linen compute as
    in inference, but for flags that a call is given (``deterministic=False``)."""

    checks: Annotated[Literal["omit", "outputs"], Default("omit")]
    """``"omit"`` leaves out checks of values (``equinox.error_if``), with one warning that lists
    them. ``"outputs"`` adds a boolean output for each, which is true where the check fails and is
    named after its message (``check_failed.x_is_negative``). Checks in loops, branches and
    functions are left out with the warning in any case."""

    input_names: Annotated[Sequence[str] | None, Default(None)]
    """Names of the graph's inputs, in pytree order; by default those of the arguments."""

    output_names: Annotated[Sequence[str] | None, Default(None)]
    """Names of the graph's outputs; by default ``output``, or ``output_0``, ``output_1``..."""

    inputs_as_nchw: Annotated[Sequence[int | str], Default(())]
    """Inputs, by name or index, that are (N, C, H, W) in the graph where ``fn`` takes (N, H, W, C).
    The shapes in ``inputs`` are those that ``fn`` takes."""

    outputs_as_nchw: Annotated[Sequence[int | str], Default(())]
    """Outputs, by name or index, that are (N, C, H, W) in the graph where ``fn`` returns
    (N, H, W, C)."""

    constraints: Annotated[Sequence[str], Default(())]
    """What JAX may assume of symbolic dimensions, such as ``"T <= 512"``. Constraints that
    contradict each other are an error."""

    parameters: Annotated[Mapping[str, ir.TensorProtocol] | None, Default(None)]
    """Tensors of abstract parameters (leaves that are ``jax.ShapeDtypeStruct``), by path. The data
    of an ``onnx_ir.ExternalTensor`` stay in their file."""

    call_sites: Annotated[bool, Default(False)]
    """Write on each node the line of the model that it comes from, as metadata
    ``pkg.jax2onnx.call_site`` (``model.py:42:8 (Block.__call__)``)."""

    target: Annotated[str, Default("cpu")]
    """The runtime that must have a kernel for every node; ``"cpu"`` is ONNX Runtime's CPU execution
    provider."""

    export_mode: Annotated[Literal["default", "web"], Default("default")]
    """``"web"`` makes a model that ONNX Runtime's builds for browsers run: nothing in it is
    bfloat16, which they cannot cast, and ``opset`` is at most 23. Parameters, inputs and results
    that would be bfloat16 are float32, and computed so."""

    prefer: Annotated[Preference, Default("speed")]
    """``"readable"`` also fuses into operators that ONNX Runtime computes more slowly than their
    decompositions, such as Swish and GroupNormalization. ``"decomposed"`` leaves layer, group and
    RMS norms as JAX computes them, which can be more accurate."""

    normalization_mode: Annotated[
        Literal["auto", "prefer_native", "force_decomposed"], Default("auto")
    ]
    """Another way to say ``prefer``: ``"prefer_native"`` is ``prefer="readable"``, and
    ``"force_decomposed"`` is ``prefer="decomposed"``."""

    fold_batch_norm: Annotated[bool, Default(False)]
    """Multiply batch norms into the weights of the convolutions and matrix products in front of
    them, which then differ from the model's. ONNX Runtime does so itself when it loads a model."""

    external_data: Annotated[bool | str | None, Default(None)]
    """For ``output_path``: False writes a single file that needs no other, as browsers want it;
    True, or the name of a file, puts the weights into a safetensors file beside it. By default the
    weights are in the model as long as it stays below 2 GiB, the limit of ONNX files."""


class _Field(NamedTuple):
    type: Any
    default: Any
    text: str


@functools.cache
def _fields() -> Mapping[str, _Field]:
    texts = _texts()
    fields = {}
    for name, hint in get_type_hints(Options, include_extras=True).items():
        kind, default = get_args(hint)
        fields[name] = _Field(kind, default.value, texts.get(name, ""))
    return fields


def _texts() -> dict[str, str]:
    """Return the docstrings of the options, which Python keeps in the source alone."""
    try:
        source = inspect.getsource(Options)
    except OSError:  # a distribution without sources
        return {}
    (definition,) = ast.parse(source).body
    assert isinstance(definition, ast.ClassDef)
    texts = {}
    for field, text in itertools.pairwise(definition.body):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
            texts[ast.unparse(field.target)] = inspect.cleandoc(str(ast.literal_eval(text.value)))
    return texts


def with_defaults(options: Options) -> Options:
    """Return ``options`` with the default of every option that is missing or None."""
    complete: Any = {name: field.default for name, field in _fields().items()}
    complete.update((name, value) for name, value in options.items() if value is not None)
    complete["prefer"] = _PREFERRED.get(complete["normalization_mode"], complete["prefer"])
    filled: Options = complete
    return filled


def check_options(options: Mapping[str, object], function: Callable[..., Any]) -> None:
    """Check that every option exists and, where it has a list of choices, is one of these.

    Args:
        options: keyword arguments of ``function``.
        function: it has the options in its signature, see ``with_options``.

    Raises:
        TypeError: an option that does not exist.
        InputError: a value that is not among the choices of its option.
    """
    for name, value in options.items():
        if name not in _fields():
            near = difflib.get_close_matches(name, inspect.signature(function).parameters, 1)
            hint = f". Did you mean {near[0]!r}?" if near else ""
            raise TypeError(
                f"{function.__name__}() got an unexpected keyword argument {name!r}{hint}"
            )
        kind = _fields()[name].type
        if get_origin(kind) is Literal and value not in get_args(kind):
            choices = " or ".join(map(repr, get_args(kind)))
            raise InputError(f"{name}={value!r}: choose {choices}")


def with_options(function: Function) -> Function:
    """Put every option into the signature and the docstring of ``function``.

    Args:
        function: takes ``**options``; its docstring has one line for them.
    """
    signature = inspect.signature(function)
    own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    options = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=field.type
        )
        for name, field in _fields().items()
    ]
    described: Any = function
    described.__signature__ = signature.replace(parameters=[*own, *options])
    entries = (
        textwrap.fill(
            f"{name}: {field.text[:1].lower()}{field.text[1:]}",
            100,
            initial_indent=" " * 8,
            subsequent_indent=" " * 12,
            break_on_hyphens=False,
        )
        for name, field in _fields().items()
    )
    if function.__doc__:
        function.__doc__ = re.sub(
            r"^ *\*\*options:.*$",
            lambda _: "\n".join(entries),
            function.__doc__,
            flags=re.MULTILINE,
        )
    return function
