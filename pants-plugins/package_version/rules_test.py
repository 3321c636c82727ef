from __future__ import annotations

import pytest
from pants.backend.python.macros.python_artifact import PythonArtifact
from pants.backend.python.target_types import PythonDistribution
from pants.backend.python.util_rules.package_dists import SetupKwargs
from pants.engine.addresses import Address
from pants.engine.internals.scheduler import ExecutionError
from pants.testutil.rule_runner import QueryRule, RuleRunner

from package_version.rules import PackageVersionRequest
from package_version.rules import rules as package_version_rules


@pytest.fixture
def runner() -> RuleRunner:
    return RuleRunner(
        rules=[*package_version_rules(), QueryRule(SetupKwargs, [PackageVersionRequest])],
        target_types=[PythonDistribution],
        objects={"python_artifact": PythonArtifact},
    )


def _distribution(runner: RuleRunner, package: str, **arguments: str) -> PackageVersionRequest:
    given = "".join(f", {name}={value!r}" for name, value in arguments.items())
    runner.write_files(
        {
            "library/__init__.py": package,
            "library/BUILD": "python_distribution(name='wheel', provides=python_artifact("
            f"name='library'{given}))",
        }
    )
    return PackageVersionRequest(runner.get_target(Address("library", target_name="wheel")))


def test_the_version_is_that_of_the_package(runner: RuleRunner) -> None:
    request = _distribution(runner, '"""A library."""\n\n__version__ = "1.2.3"\n', license="MIT")
    assert PackageVersionRequest.is_applicable(request.target)
    kwargs = runner.request(SetupKwargs, [request]).kwargs
    assert kwargs == {"name": "library", "version": "1.2.3", "license": "MIT"}


def test_a_version_in_the_build_file_stays(runner: RuleRunner) -> None:
    request = _distribution(runner, '__version__ = "1.2.3"\n', version="4")
    assert not PackageVersionRequest.is_applicable(request.target)


def test_a_package_without_a_version_is_an_error(runner: RuleRunner) -> None:
    request = _distribution(runner, "version = 1\n")
    with pytest.raises(ExecutionError, match=r"library:wheel: no line of library/__init__\.py"):
        runner.request(SetupKwargs, [request])
