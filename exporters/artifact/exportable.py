"""What a model family hands to the driver: an abstract model and where its tensors lie."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from jax2onnx import InputSpec


@dataclass(frozen=True)
class TensorSource:
    """Where one parameter lies in a checkpoint.

    `tensor` is the checkpoint's name for it. `rows` = (start, stop) takes a slice on axis 0, which
    is contiguous in the file: a fused qkv projection splits into three parameters without a copy.
    """

    tensor: str
    rows: tuple[int, int] | None = None


@dataclass(frozen=True)
class Exportable:
    """A model ready to be traced.

    `model` is a callable pytree (an Equinox module) whose array leaves are all
    `jax.ShapeDtypeStruct`; `parameters` binds each leaf, by its path in the model
    ("layers.0.attention.q.weight"), to a tensor of the checkpoint. `inputs` are the specs of the
    model's positional arguments, whose dimensions may be names such as "B". `ignored` names tensors
    of the checkpoint that the model rightly does without.

    The driver checks that the two fit (`exporters.artifact.bind.check`); a family need not.
    """

    model: Callable[..., Any]
    inputs: Sequence[InputSpec]
    parameters: Mapping[str, TensorSource]
    input_names: Sequence[str]
    output_names: Sequence[str]
    ignored: Collection[str] = ()


@dataclass(frozen=True)
class ParityCase:
    """Inputs for an artifact and the outputs that a reference computes for them, by name."""

    name: str
    inputs: Mapping[str, np.ndarray]
    outputs: Mapping[str, np.ndarray]
