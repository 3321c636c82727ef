"""The rules, one a file, and the table that says when each is tried.

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

from jax2onnx.rewrite.editor import Editor

Rule: TypeAlias = Callable[[Editor, ir.Node], bool]


@dataclass(frozen=True)
class Entry:
    """A rule by the name of its module.

    Attributes:
        name: the module, which is imported when a graph first has one of the operators.
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
        rule: Rule = importlib.import_module(f"{__name__}.{self.name}").apply
        return rule


_SOFTMAX = Entry("softmax", ("Exp",))
_TRANSPOSE = Entry("transpose", ("Transpose",))
_VIEW = Entry("view", ("Reshape", "Squeeze", "Unsqueeze"))
_VIEW_AFTER = Entry("view_after", ("Reshape", "Squeeze", "Unsqueeze"))

STAGES: tuple[tuple[Entry, ...], ...] = (
    (Entry("loop_invariant", ("Loop", "Scan")),),
    (
        Entry("selu", ("expm1",)),
        Entry("elu", ("expm1",)),
        Entry("celu", ("expm1",)),
        Entry("mish", ("log1p",), asked="readable"),
        Entry("softplus", ("log1p",), asked="readable"),
        Entry("leaky_relu", ("GreaterOrEqual", "Greater")),
        Entry("prelu", ("GreaterOrEqual", "Greater")),
        Entry("hard_swish", ("Clip", "Min")),
        Entry("hard_sigmoid", ("Clip", "Min")),
        Entry("clip", ("Less", "Min")),
        Entry("softsign", ("Abs",)),
        Entry("floor_division", ("Mod",)),
        Entry("swish", ("Sigmoid",), opset=24, until=24, asked="readable"),
        Entry("gelu", ("erfc", "Erf", "Tanh"), opset=20),
        Entry("one_hot", ("Equal",), asked="readable"),
        Entry("max_pool", ("reduce_window_max",)),
        Entry("average_pool", ("reduce_window_sum",), asked="readable"),
    ),
    (
        Entry("depth_to_space", ("Transpose",)),
        Entry("resize", ("Gather",)),
        Entry("gather", ("Gather",)),
        Entry("known_choice", ("Where",)),
        Entry("neutral", ("Add", "And", "Div", "Mul", "Or", "Sub")),
        Entry("reduce_mean", ("Div", "Unsqueeze")),
        _TRANSPOSE,
    ),
    (
        Entry("expand", ("Expand",)),
        Entry("batch_normalization", ("Sqrt",)),
        Entry("layer_normalization", ("Sqrt",)),
        Entry("group_normalization", ("Sqrt",)),
        Entry("rms_normalization", ("Sqrt",), opset=23),
        _SOFTMAX,
        Entry("reduce_log_sum_exp", ("Exp",), asked="readable"),
        Entry("split", ("Slice",)),
    ),
    (_VIEW_AFTER,),
    (_TRANSPOSE, _VIEW),
    (_VIEW_AFTER,),
    (_TRANSPOSE, _VIEW),
    (
        Entry("transposed_product", ("MatMul",)),
        Entry("rotary_embedding", ("Concat",), opset=23),
        _TRANSPOSE,
    ),
    (
        Entry("attention", ("Softmax",), opset=23),
        Entry("relu", ("Max",)),
        Entry("global_average_pool", ("ReduceMean",), asked="readable"),
    ),
    (Entry("layout", ("Transpose",)),),
    (_TRANSPOSE, _VIEW),
    (
        Entry("conv_bias", ("Conv", "ConvTranspose")),
        Entry("gru", ("Scan",)),
        Entry("lstm", ("Scan",)),
        Entry("rnn", ("Scan",)),
        _SOFTMAX,
        Entry("linear", ("MatMul",)),
    ),
    (_VIEW_AFTER,),
    (_TRANSPOSE, Entry("stored_order", ("Slice", "Transpose")), _VIEW),
    (Entry("folded_batch_norm", ("BatchNormalization",), asked="fold_batch_norm"),),
)
"""What is tried in one sweep over the graph, then in the next, on what the one before left."""
