from __future__ import annotations

import os
from pathlib import Path

import pytest
from pants.backend.python.lint.ruff import skip_field, subsystem
from pants.backend.python.target_types import PythonSourcesGeneratorTarget
from pants.backend.python.target_types_rules import rules as target_types_rules
from pants.core.goals.fix import Fix
from pants.core.goals.fix import rules as fix_rules
from pants.core.goals.fmt import Fmt
from pants.core.goals.fmt import rules as fmt_rules
from pants.core.goals.lint import Lint
from pants.core.goals.lint import rules as lint_rules
from pants.core.util_rules import config_files, source_files
from pants.testutil.python_rule_runner import PythonRuleRunner
from pants.testutil.rule_runner import GoalRuleResult

from ruff_backend import rules as ruff_rules

_CLEAN = 'import os\n\nprint(os.sep, "é")\n'
_UNUSED = 'import os\nimport re\n\nprint(os.sep, "é")\n'
_UNFORMATTED = "import os\n\nprint( os.sep,'é' )\n"
_LONG = 'name = "' + "x" * 70 + '"\n'
_BROKEN = "print(\n"

_OPTIONS = (
    "--backend-packages=ruff_backend",
    "--python-enable-resolves",
    "--python-resolves={'tools': 'tools.lock'}",
    "--python-default-resolve=tools",
    "--python-interpreter-constraints=['CPython>=3.12,<3.15']",
    "--ruff-install-from-resolve=tools",
    "--ruff-interpreter-constraints=['CPython>=3.12,<3.15']",
)


@pytest.fixture(scope="module")
def runner() -> PythonRuleRunner:
    return PythonRuleRunner(
        rules=[
            *config_files.rules(),
            *fix_rules(),
            *fmt_rules(),
            *lint_rules(),
            *ruff_rules.rules(),
            *skip_field.rules(),
            *source_files.rules(),
            *subsystem.rules(),
            *target_types_rules(),
        ],
        target_types=[PythonSourcesGeneratorTarget],
    )


def _run(
    runner: PythonRuleRunner, goal: type[Lint | Fix | Fmt], source: str
) -> tuple[GoalRuleResult, str]:
    runner.write_files(
        {
            "BUILD": "python_sources()",
            "code.py": source,
            "pyproject.toml": "[tool.ruff]\nline-length = 60\nlint.select = ['E', 'F']\n",
            "tools.lock": Path("3rdparty/python/tools.lock").read_text(),
        }
    )
    inherited = {name for name in os.environ if name == "PATH" or name.startswith("PANTS_")}
    result = runner.run_goal_rule(
        goal, global_args=_OPTIONS, args=["::"], env_inherit={*inherited, "HOME", "HTTPS_PROXY"}
    )
    return result, Path(runner.build_root, "code.py").read_text()


@pytest.mark.parametrize(
    ("source", "check", "fix", "formatting"),
    [
        (_UNUSED, "failed", "failed", "succeeded"),
        (_LONG, "failed", "succeeded", "succeeded"),
        (_UNFORMATTED, "succeeded", "succeeded", "failed"),
        (_BROKEN, "failed", "succeeded", "succeeded"),
    ],
)
def test_lint_names_the_failing_tool_and_changes_nothing(
    runner: PythonRuleRunner, source: str, check: str, fix: str, formatting: str
) -> None:
    result, after = _run(runner, Lint, source)
    assert result.exit_code != 0
    assert f"ruff check {check}." in result.stderr
    assert f"ruff check --fix {fix}." in result.stderr
    assert f"ruff format {formatting}." in result.stderr
    assert after == source


def test_lint_passes_clean_code(runner: PythonRuleRunner) -> None:
    result, _ = _run(runner, Lint, _CLEAN)
    assert result.exit_code == 0


@pytest.mark.parametrize(("goal", "source"), [(Fix, _UNUSED), (Fmt, _UNFORMATTED)])
def test_fix_and_fmt_write_the_corrected_file(
    runner: PythonRuleRunner, goal: type[Fix | Fmt], source: str
) -> None:
    result, after = _run(runner, goal, source)
    assert result.exit_code == 0
    assert after == _CLEAN
