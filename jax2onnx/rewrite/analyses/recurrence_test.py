"""Linear functions of a recurrent cell are read in the form of an operator's weights.

The test of the rules reads complete cells of libraries.
"""

from __future__ import annotations

import onnx_ir as ir

from jax2onnx.rewrite.analyses.recurrence import Linear, Part
from jax2onnx.testing.sketch import value


def test_weights_of_a_cell_fit_an_operator_of_its_size() -> None:
    matrix, vector = Part(value("w", (3, 4))), Part(value("b", (4,)))
    linear = Linear((matrix,), (matrix,), (vector,))
    assert linear.fits(4)
    assert not linear.fits(3)
    assert Linear((matrix,), (matrix,), (vector, None)).fits(4)
    assert not Linear((matrix,), (matrix,), (vector, vector, vector)).fits(4)
    assert not (linear + linear).fits(4)
    assert not Linear((), (matrix,)).fits(4)


def test_a_piece_has_the_width_of_the_output() -> None:
    whole = value("w", (3, 8))
    split = ir.node("Split", [whole], {"axis": -1}, num_outputs=2)
    for output in split.outputs:
        output.shape = ir.Shape((3, 4))
    assert Part(whole).width == 8
    assert Part(whole, split, 1).width == 4
