"""A minimal model of each operator, with which ONNX Runtime is probed.

Operators that no JAX primitive could become are left out: sequences, strings, optionals, quantised
arithmetic, the runtime's random numbers. An operator whose kernels depend on an attribute has an
entry ``Operator[value]`` for each other value that selects other kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

# An input is a shape (filled with ones), a list or number (its values), or None (omitted).
Input = tuple[int, ...] | list[Any] | int | None


@dataclass(frozen=True)
class TypeOf:
    """An attribute whose value is the element type bound to a type variable."""

    variable: str


@dataclass(frozen=True)
class Body:
    """A subgraph: the types of its inputs (``V`` for the probed one), and the inputs it returns."""

    inputs: Sequence[str]
    passed: Sequence[int]


@dataclass(frozen=True)
class Probe:
    """Inputs and attributes of a node that is valid in any element type.

    Attributes:
        inputs: the inputs of the node, one for each formal parameter, or fewer.
        attributes: the attributes of the node.
        outputs: the number of outputs.
        integers: computes the node's result for the first input in wrapping integer arithmetic. It
            is given for operators that the runtime may compute in floating point.
    """

    inputs: Sequence[Input]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    outputs: int = 1
    integers: Callable[[Array], Array] | None = None


def _names(text: str) -> list[str]:
    return text.split()


_ROW: Input = (4,)
_IMAGE: Input = (1, 4, 4, 4)

_UNARY = _names(
    "Abs Acos Acosh Asin Asinh Atan Atanh BitwiseNot Ceil Celu Cos Cosh Elu Erf Exp Floor Gelu "
    "HardSigmoid HardSwish Hardmax Identity IsInf IsNaN LeakyRelu Log LogSoftmax Mish Neg NonZero "
    "Not Reciprocal Relu Round Selu Shape Shrink Sigmoid Sign Sin Sinh Size Softmax Softplus "
    "Softsign Sqrt Swish Tan Tanh ThresholdedRelu"
)
_BINARY = _names(
    "Add And BitwiseAnd BitwiseOr BitwiseXor Div Equal Greater GreaterOrEqual Less LessOrEqual Max "
    "Mean Min Mul Or PRelu Sub Sum SwiGLU Xor"
)
_REDUCTIONS = _names(
    "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin"
)

PROBES: dict[str, Probe] = {
    **{name: Probe([_ROW]) for name in _UNARY},
    **{name: Probe([_ROW, _ROW]) for name in _BINARY},
    **{name: Probe([(2, 3), [1]]) for name in _REDUCTIONS},
    "AffineGrid": Probe([(1, 2, 3), [1, 1, 2, 2]]),
    "ArgMax": Probe([(2, 3)]),
    "ArgMin": Probe([(2, 3)]),
    "Attention": Probe(
        [(1, 2, 4), (1, 2, 4), (1, 2, 4), (2, 2)], {"q_num_heads": 2, "kv_num_heads": 2}
    ),
    "AveragePool": Probe([_IMAGE], {"kernel_shape": [2, 2]}),
    "BatchNormalization": Probe([_IMAGE, _ROW, _ROW, _ROW, _ROW]),
    "BitCast": Probe([_ROW], {"to": TypeOf("T2")}),
    "BitShift": Probe([_ROW, _ROW], {"direction": "LEFT"}),
    "Cast": Probe([_ROW], {"to": TypeOf("T2")}),
    "CastLike": Probe([_ROW, (1,)]),
    "CausalConvWithState": Probe([(1, 2, 4), (2, 1, 2)], outputs=2),
    "CenterCropPad": Probe([_ROW, [2]]),
    "Clip": Probe([_ROW, (), ()]),
    "Col2Im": Probe([(1, 4, 1), [2, 2], [2, 2]]),
    "Compress": Probe([_ROW, _ROW]),
    "Concat": Probe([_ROW, _ROW], {"axis": 0}),
    "ConstantOfShape": Probe([[2]], {"value": TypeOf("T2")}),
    "Conv": Probe([_IMAGE, (1, 4, 2, 2)]),
    "ConvInteger": Probe([_IMAGE, (1, 4, 2, 2)]),
    "ConvTranspose": Probe([_IMAGE, (4, 1, 2, 2)]),
    "CumProd": Probe([_ROW, 0]),
    "CumSum": Probe([_ROW, 0]),
    "DFT": Probe([(1, 4, 1)]),
    "DeformConv": Probe([(1, 1, 3, 3), (1, 1, 2, 2), (1, 8, 2, 2)]),
    "DepthToSpace": Probe([_IMAGE], {"blocksize": 2}),
    "DequantizeLinear": Probe([_ROW, ()]),
    "Det": Probe([(2, 2)]),
    "Dropout": Probe([_ROW]),
    "Einsum": Probe([_ROW, _ROW], {"equation": "i,i->i"}),
    "Expand": Probe([(1,), [3]]),
    "EyeLike": Probe([(2, 2)], {"dtype": TypeOf("T2")}),
    "Flatten": Probe([(2, 3)]),
    "GRU": Probe([(1, 1, 2), (1, 6, 2), (1, 6, 2)], {"hidden_size": 2}),
    "Gather": Probe([_ROW, [0]]),
    "GatherElements": Probe([_ROW, [0]]),
    "Gelu[tanh]": Probe([_ROW], {"approximate": "tanh"}),
    "GatherND": Probe([_ROW, [[0]]]),
    "Gemm": Probe([(2, 2), (2, 2), (2,)]),
    "GlobalAveragePool": Probe([_IMAGE]),
    "GlobalLpPool": Probe([_IMAGE]),
    "GlobalMaxPool": Probe([_IMAGE]),
    "GridSample": Probe([_IMAGE, (1, 2, 2, 2)]),
    "GroupNormalization": Probe([_IMAGE, _ROW, _ROW], {"num_groups": 2}),
    "If": Probe([1], {"then_branch": Body([], []), "else_branch": Body([], [])}),
    "InstanceNormalization": Probe([_IMAGE, _ROW, _ROW]),
    "LRN": Probe([_IMAGE], {"size": 3}),
    "LSTM": Probe([(1, 1, 2), (1, 8, 2), (1, 8, 2)], {"hidden_size": 2}),
    "LayerNormalization": Probe([(2, 4), _ROW, _ROW]),
    "LinearAttention": Probe(
        [(1, 2, 4)] * 3,
        {"q_num_heads": 2, "kv_num_heads": 2, "update_rule": "linear"},
        outputs=2,
    ),
    "Loop": Probe([1, 1, ()], {"body": Body(["i64", "bool", "V"], [1, 2])}),
    "LpNormalization": Probe([(2, 4)]),
    "LpPool": Probe([_IMAGE], {"kernel_shape": [2, 2]}),
    "MatMul": Probe([(2, 2), (2, 2)]),
    "MatMulInteger": Probe([(2, 2), (2, 2)]),
    "MaxPool": Probe([_IMAGE], {"kernel_shape": [2, 2]}),
    "MaxUnpool": Probe([(1, 1, 1, 1), [[[[0]]]]], {"kernel_shape": [2, 2]}),
    "MeanVarianceNormalization": Probe([_IMAGE]),
    "Mod": Probe([_ROW, _ROW], {"fmod": 1}),
    "NonMaxSuppression": Probe([(1, 2, 4), (1, 1, 2)]),
    "OneHot": Probe([[0, 1], 2, [0, 1]]),
    "Pad": Probe([_ROW, [1, 1]]),
    "Pow": Probe([(2, 3), 5], integers=lambda x: x**5),
    "QuantizeLinear": Probe([_ROW, (), ()]),
    "RMSNormalization": Probe([(2, 4), _ROW]),
    "RNN": Probe([(1, 1, 2), (1, 2, 2), (1, 2, 2)], {"hidden_size": 2}),
    "Range": Probe([0, 4, 1]),
    "ReduceProd": Probe([(2, 3), [1]], integers=lambda x: x.prod(1, x.dtype, keepdims=True)),
    "ReduceSum": Probe([(2, 3), [1]], integers=lambda x: x.sum(1, x.dtype, keepdims=True)),
    "ReduceSumSquare": Probe(
        [(2, 3), [1]], integers=lambda x: (x * x).sum(1, x.dtype, keepdims=True)
    ),
    "Reshape": Probe([_ROW, [2, 2]]),
    "Resize": Probe([_IMAGE, None, [1, 1, 2, 2]], {"mode": "nearest"}),
    "Resize[cubic]": Probe([_IMAGE, None, [1, 1, 2, 2]], {"mode": "cubic"}),
    "ReverseSequence": Probe([(2, 2), [1, 1]]),
    "RoiAlign": Probe([_IMAGE, (1, 4), [0]]),
    "RotaryEmbedding": Probe([(1, 2, 2, 4), (2, 2), (2, 2), [[0, 1]]]),
    "STFT": Probe([(1, 8, 1), 4, None, 4]),
    "Scan": Probe([(), _ROW], {"body": Body(["V", "V"], [0, 1]), "num_scan_inputs": 1}, outputs=2),
    "ScatterElements": Probe([_ROW, [0], (1,)]),
    "ScatterND": Probe([_ROW, [[0]], (1,)]),
    **{
        f"{name}[{reduction}]": Probe([_ROW, indices, (1,)], {"reduction": reduction})
        for name, indices in (("ScatterElements", [0]), ("ScatterND", [[0]]))
        for reduction in ("add", "mul", "min", "max")
    },
    "Slice": Probe([_ROW, [0], [2], [0]]),
    "SpaceToDepth": Probe([_IMAGE], {"blocksize": 2}),
    "Split": Probe([_ROW, [2, 2]], outputs=2),
    "Squeeze": Probe([(1, 4), [0]]),
    "TensorScatter": Probe([(1, 4, 2), (1, 2, 2), [0]]),
    "Tile": Probe([_ROW, [2]]),
    "TopK": Probe([_ROW, [2]], outputs=2),
    "Transpose": Probe([(2, 3)]),
    "Trilu": Probe([(2, 2)]),
    "Unique": Probe([_ROW]),
    "Unsqueeze": Probe([_ROW, [0]]),
    "Where": Probe([_ROW, _ROW, _ROW]),
}
