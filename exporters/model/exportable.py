"""The interface between a model family and the shared code: models, bindings and test cases."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from jax2onnx import InputSpec
    from jax2onnx.checks.comparison import Tolerance


@dataclass(frozen=True)
class TensorSource:
    """The place of one parameter in a checkpoint.

    Attributes:
        tensor: the checkpoint's name of the tensor.
        rows: the slice (start, stop) of axis 0 that the parameter takes, or None for the whole
            tensor. Such a slice is contiguous in the file, so that a fused qkv projection can be
            split into three parameters without a copy.
    """

    tensor: str
    rows: tuple[int, int] | None = None


@dataclass(frozen=True)
class Exportable:
    """A model that is ready to be traced. An exporter function returns one.

    The shared code checks that the model and the checkpoint fit
    (``exporters.artifact.bind.check``); a family does not repeat that check.

    Attributes:
        model: a callable pytree, such as an Equinox module, whose array leaves are all
            ``jax.ShapeDtypeStruct``.
        inputs: the specs of the model's positional arguments. A dimension may be a name, ``"B"``.
        parameters: the place of each leaf in the checkpoint, by the leaf's path in the model
            (``layers.0.attention.q.weight``).
        input_names: the names of the artifact's inputs.
        output_names: the names of the artifact's outputs.
        ignored: names of the checkpoint's tensors that the model does without.
        session: settings of ONNX Runtime's session (``add_session_config_entry``) without which
            the artifact does not compute what was measured. The artifact's metadata holds them.
        conversion: further options of ``jax2onnx.to_onnx``, such as ``constraints``.
    """

    model: Callable[..., Any]
    inputs: Sequence[InputSpec]
    parameters: Mapping[str, TensorSource]
    input_names: Sequence[str]
    output_names: Sequence[str]
    ignored: Collection[str] = ()
    session: Mapping[str, str] = field(default_factory=dict)
    conversion: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Judgement:
    """The result of a comparison that a parity case makes itself.

    Attributes:
        findings: one entry for each disagreement.
        lines: what the comparison found otherwise, for the report.
    """

    findings: tuple[str, ...]
    lines: tuple[str, ...]


Arrays = Mapping[str, "np.ndarray"]
Judge = Callable[[Arrays, Arrays, "Tolerance"], Judgement]
"""Compares expected and actual outputs by name, within a tolerance."""


@dataclass(frozen=True)
class ParityCase:
    """One case of a parity test.

    Attributes:
        name: a short name for reports.
        inputs: the inputs of the artifact by name.
        outputs: the outputs that the reference computes for them, by name.
        judge: compares the outputs; by default they must be equal within the tolerance.
        texts: the texts that the inputs were made from, for clients with tokenizers of their own.
    """

    name: str
    inputs: Mapping[str, np.ndarray]
    outputs: Mapping[str, np.ndarray]
    judge: Judge | None = None
    texts: Sequence[str] = ()
