"""The checked-in table matches the installed runtime."""

from __future__ import annotations

import itertools
import subprocess
import sys

import onnx_ir as ir

from jax2onnx.legalise.kernels import KernelTable, load_table
from tools.kernels import generate

I32, I64, F16, F32, BF16 = (
    ir.DataType.INT32,
    ir.DataType.INT64,
    ir.DataType.FLOAT16,
    ir.DataType.FLOAT,
    ir.DataType.BFLOAT16,
)


def test_the_table_is_up_to_date() -> None:
    assert generate.TABLE.read_text("utf-8") == generate.render(), (
        "the table is not that of the installed runtime; run: python -m tools.kernels.generate"
    )


def test_the_table_is_small_and_loads_without_the_runtime() -> None:
    assert generate.TABLE.stat().st_size < 80_000
    code = (
        "import sys; from jax2onnx.legalise.kernels import load_table; load_table('cpu');"
        "print([m for m in ('onnxruntime', 'onnx.defs') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stderr == ""
    assert "onnxruntime" not in result.stdout


def test_an_opset_uses_the_last_version_of_an_operator() -> None:
    table = load_table("cpu")
    assert table.signature("", "Celu", 27) != table.signature("", "Celu", 28)
    assert table.signature("", "Celu", 21) == table.signature("", "Celu", 27)
    assert table.signature("", "Swish", 23) is None
    assert table.signature("nowhere", "Celu", 23) is None


def test_a_kernel_must_match_all_type_variables() -> None:
    signature = load_table("cpu").signature("", "EyeLike", 23)
    assert signature is not None
    assert signature.runs((("T1", F32), ("T2", I64)))
    assert signature.runs((("T1", F16), ("T2", F16)))
    assert not signature.runs((("T1", F32), ("T2", F16)))


def test_integers_that_are_computed_as_floats_do_not_count() -> None:
    for op_type in ("ReduceSum", "ReduceProd", "ReduceSumSquare", "Pow"):
        signature = load_table("cpu").signature("", op_type, 23)
        assert signature is not None
        taken = {dtype for kernel in signature.kernels for dtype in kernel["T"]}
        assert (I32 in taken, I64 in taken) == (False, True)


def test_parameters_bind_variables_and_the_last_parameter_repeats() -> None:
    concat = load_table("cpu").signature("", "Concat", 23)
    assert concat is not None
    assert concat.bind([F32, F32, F32], [F32]) == (("T", F32),)
    loop = load_table("cpu").signature("", "Loop", 23)
    assert loop is not None
    assert loop.bind([I64, None, F32, BF16], [F32, BF16]) == (
        ("I", I64),
        ("V", F32),
        ("V", BF16),
    )
    assert loop.runs(loop.bind([I64, None, F32, BF16], [F32, BF16]))


def test_packing_keeps_the_combinations() -> None:
    types = (I32, I64, F16, F32)
    answers = [pair for pair in itertools.product(types, types) if pair[0] <= pair[1]]
    rows = generate._pack(answers)
    assert sorted(pair for row in rows for pair in itertools.product(*row)) == sorted(answers)


def test_merging_unites_rows_that_differ_in_one_variable() -> None:
    rows = [(frozenset({a}), frozenset({b})) for a in (I32, I64) for b in (F16, F32)]
    assert generate._merge(rows) == [(frozenset({I32, I64}), frozenset({F16, F32}))]


def test_an_empty_table_has_no_signatures() -> None:
    table = KernelTable('{"runtime":"none","opsets":[21,28],"operators":{}}')
    assert table.signature("", "Add", 23) is None
