"""The table that says in which order the rules are tried, and at which nodes.

A rule is a function ``apply(editor, node)``: it looks at the graph around ``node``, changes it and
returns True, or leaves it as it is and returns False.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import onnx_ir as ir

from jax2onnx.rewrite.engine.editor import Editor

Rule: TypeAlias = Callable[[Editor, ir.Node], bool]


@dataclass(frozen=True)
class Entry:
    """A rule by the name of its module.

    Attributes:
        name: the module below ``rules``, imported when a graph first has one of the operators.
        operators: what calls the rule to mind: of all operators that it looks for, the rarest; or a
            primitive of JAX, by its name, that was lowered to what a rule looks for.
        opset: the first version of the operator set that the rule's result needs.
        until: the last one, where ONNX Runtime runs an operator by its definition, and parts of
            that have newer versions.
        asked: what must be asked of `rewrite` for the rule to be tried: "readable", where ONNX
            Runtime takes longer for the result, or "fold_batch_norm".

    """

    name: str
    operators: tuple[str, ...]
    opset: int = 0
    until: int = sys.maxsize
    asked: str = ""

    def load(self) -> Rule:
        """The rule itself."""
        rule: Rule = importlib.import_module(f"jax2onnx.rewrite.rules.{self.name}").apply
        return rule


_SOFTMAX = Entry("attention.softmax", ("Exp",))
_TRANSPOSE = Entry("views.transpose", ("Transpose",))
_VIEW = Entry("views.view", ("Reshape", "Squeeze", "Unsqueeze"))
_VIEW_AFTER = Entry("views.view_after", ("Reshape", "Squeeze", "Unsqueeze"))

STAGES: tuple[tuple[Entry, ...], ...] = (
    (Entry("loops.loop_invariant", ("Loop", "Scan")),),
    (
        Entry("activations.selu", ("expm1",)),
        Entry("activations.elu", ("expm1",)),
        Entry("activations.celu", ("expm1",)),
        Entry("activations.mish", ("log1p",), asked="readable"),
        Entry("activations.softplus", ("log1p",), asked="readable"),
        Entry("activations.leaky_relu", ("GreaterOrEqual", "Greater")),
        Entry("activations.prelu", ("GreaterOrEqual", "Greater")),
        Entry("activations.hard_swish", ("Clip", "Min")),
        Entry("activations.hard_sigmoid", ("Clip", "Min")),
        Entry("activations.clip", ("Less", "Min")),
        Entry("activations.softsign", ("Abs",)),
        Entry("arithmetic.floor_division", ("Mod",)),
        Entry("activations.swish", ("Sigmoid",), opset=24, until=24, asked="readable"),
        Entry("activations.gelu", ("erfc", "Erf", "Tanh"), opset=20),
        Entry("indexing.one_hot", ("Equal",), asked="readable"),
        Entry("pools.max_pool", ("reduce_window_max",)),
        Entry("pools.average_pool", ("reduce_window_sum",), asked="readable"),
    ),
    (
        Entry("images.depth_to_space", ("Transpose",)),
        Entry("images.resize", ("Gather",)),
        Entry("indexing.gather", ("Gather",)),
        Entry("arithmetic.known_choice", ("Where",)),
        Entry("arithmetic.neutral", ("Add", "And", "Div", "Mul", "Or", "Sub")),
        Entry("arithmetic.reduce_mean", ("Div", "Unsqueeze")),
        _TRANSPOSE,
    ),
    (
        Entry("views.expand", ("Expand",)),
        Entry("norms.batch_normalization", ("Sqrt",)),
        Entry("norms.layer_normalization", ("Sqrt",)),
        Entry("norms.group_normalization", ("Sqrt",)),
        Entry("norms.rms_normalization", ("Sqrt",), opset=23),
        _SOFTMAX,
        Entry("arithmetic.reduce_log_sum_exp", ("Exp",), asked="readable"),
        Entry("views.split", ("Slice",)),
    ),
    (_VIEW_AFTER,),
    (_TRANSPOSE, _VIEW),
    (_VIEW_AFTER,),
    (_TRANSPOSE, _VIEW),
    (
        Entry("products.transposed_product", ("MatMul",)),
        Entry("attention.rotary_embedding", ("Concat",), opset=23),
        _TRANSPOSE,
    ),
    (
        Entry("attention.attention", ("Softmax",), opset=23),
        Entry("activations.relu", ("Max",)),
        Entry("pools.global_average_pool", ("ReduceMean",), asked="readable"),
    ),
    (Entry("views.layout", ("Transpose",)),),
    (_TRANSPOSE, _VIEW),
    (
        Entry("images.conv_bias", ("Conv", "ConvTranspose")),
        Entry("recurrent.gru", ("Scan",)),
        Entry("recurrent.lstm", ("Scan",)),
        Entry("recurrent.rnn", ("Scan",)),
        _SOFTMAX,
        Entry("products.linear", ("MatMul",)),
    ),
    (_VIEW_AFTER,),
    (_TRANSPOSE, Entry("views.stored_order", ("Slice", "Transpose")), _VIEW),
    (Entry("norms.folded_batch_norm", ("BatchNormalization",), asked="fold_batch_norm"),),
)
"""What is tried in one sweep over the graph, then in the next, on what the one before left."""
