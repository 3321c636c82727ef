from __future__ import annotations

import ast
import inspect
import pickle  # noqa: TID251  # Public names must be picklable.
import subprocess
import sys

import pytest

import jax2onnx


def test_type_checkers_see_the_names_that_are_loaded_at_run_time() -> None:
    body = ast.parse(inspect.getsource(jax2onnx)).body
    for_type_checkers = next(node for node in body if isinstance(node, ast.If))
    stated = {
        alias.name: node.module
        for node in for_type_checkers.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    loaded = {
        name: f"jax2onnx.{jax2onnx._MODULES.get(name, 'errors')}" for name in jax2onnx.__all__
    }
    assert stated == loaded


@pytest.mark.parametrize("name", jax2onnx.__all__)
def test_public_name(name: str) -> None:
    value = getattr(jax2onnx, name)
    assert callable(value)
    assert value.__name__ == name
    assert value.__module__.startswith("jax2onnx.")
    assert value is getattr(jax2onnx, name)
    assert pickle.loads(pickle.dumps(value)) is value  # noqa: S301  # our own bytes
    assert name in dir(jax2onnx)


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'to_onyx'"):
        getattr(jax2onnx, "to_onyx")  # noqa: B009  # Type checkers know that it is missing.


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_names_do_not_depend_on_earlier_imports() -> None:
    for first in ("checks.allclose", "checks.report", "decorator", "api", "lower", "trace"):
        code = (
            f"import jax2onnx.{first}; from jax2onnx import *; import jax2onnx as j;"
            "print(sum(type(getattr(j, n)).__name__ == 'module' for n in j.__all__))"
        )
        assert run(code) == "0"


@pytest.mark.parametrize("module", ["jax2onnx", "jax2onnx.errors", "jax2onnx.files"])
def test_import_loads_neither_jax_nor_onnx(module: str) -> None:
    third_party = "sorted({m.split('.')[0] for m in sys.modules} - sys.stdlib_module_names)"
    before = run(f"import sys; print({third_party})")
    after = run(f"import sys, {module}; print({third_party})")
    assert set(ast.literal_eval(after)) - set(ast.literal_eval(before)) == {"jax2onnx"}


_CONVERT = "import jax2onnx, jax.numpy as jnp; model = jax2onnx.to_onnx(jnp.sin, [('B', 3)]);"


def test_a_conversion_does_not_load_sympy() -> None:
    assert run(f"{_CONVERT} import sys; print('sympy.core' in sys.modules)") == "False"


def test_sympy_is_loaded_when_a_caller_needs_it() -> None:
    code = f"{_CONVERT} import onnx_ir; print(onnx_ir.SymbolicDim('B') + 1);"
    assert run(code) == "B + 1"
    assert run(f"{_CONVERT} import sympy; print(sympy.Symbol('x') + 1)") == "x + 1"
    assert run(f"{_CONVERT} from sympy.core import Symbol; print(Symbol('x') + 1)") == "x + 1"


def test_a_loaded_sympy_stays_the_same_module() -> None:
    code = f"import sympy; {_CONVERT} import onnx_ir._core as c; print(c.sympy is sympy)"
    assert run(code) == "True"
