"""Dependencies on modules are inferred."""

from __future__ import annotations

import pytest
from pants.engine.internals.scheduler import ExecutionError

from onnx_export.testing import Repository


@pytest.mark.parametrize(
    ("target", "modules"),
    [
        ("model", {"m/build.py", "m/exp.py"}),
        ("parity", {"m/parity.py", "m/exp.py", "m/ref.py"}),
        ("synthetic", {"m/provide.py", "m/gen.py"}),
        ("derived", {"m/provide.py", "m/derive.py"}),
        ("pinned", {"m/provide.py"}),
    ],
)
def test_modules_of_functions_and_drivers(
    repository: Repository, target: str, modules: set[str]
) -> None:
    assert repository.dependencies(target) == modules


@pytest.mark.parametrize("module", ["m.nope", "m.exp.nope"])
def test_a_module_without_an_owner_is_named_with_the_field(
    repository: Repository, module: str
) -> None:
    repository.replace(
        "m/BUILD", '_MODEL = dict(exporter="m.exp:', f'_MODEL = dict(exporter="{module}:'
    )
    with pytest.raises(
        ExecutionError, match=f"'exporter' field of m:model names the module '{module}', which no"
    ):
        repository.dependencies("model")


def test_modules_may_come_from_a_package_in_the_lockfile(repository: Repository) -> None:
    repository.use(driver="json.tool")
    repository.replace("m/BUILD", '_MODEL = dict(exporter="m.exp:', '_MODEL = dict(exporter="json:')
    assert repository.dependencies("model") == set()


def test_a_driver_without_an_owner_is_named_with_the_option(repository: Repository) -> None:
    repository.use(driver="m.nope")
    with pytest.raises(ExecutionError, match=r"option \[onnx-export\].driver names the module"):
        repository.dependencies("model")


def test_a_module_with_two_owners_needs_a_choice(repository: Repository) -> None:
    repository.replace(
        "m/BUILD",
        "python_sources()",
        "python_sources()\npython_sources(name='two', sources=['exp.py'])",
    )
    with pytest.raises(
        ExecutionError, match=r"more than one target owns: m/exp\.py, m/exp\.py:two\."
    ):
        repository.dependencies("model")
    repository.replace(
        "m/BUILD", '"suffix": "!"}', '"suffix": "!"}, dependencies=["!./exp.py:two"]'
    )
    assert "m/exp.py" in repository.dependencies("model")


def test_a_parity_test_needs_a_model(repository: Repository) -> None:
    repository.replace(
        "m/BUILD",
        'model=":model", reference="m.ref:same", data',
        'model=":pinned", reference="m.ref:same", data',
    )
    with pytest.raises(
        ExecutionError,
        match="'model' field of m:parity names m:pinned, which is a `pinned_weights`",
    ):
        repository.dependencies("parity")
