"""The workflows, the templates and the hooks are well formed, and name commands that exist."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))


def load(file: Path) -> Any:
    return yaml.safe_load(file.read_text("utf-8"))


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )


def check(schema: str, *files: Path) -> None:
    done = run(sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *files)
    assert done.returncode == 0, done.stdout


def test_there_are_workflows() -> None:
    assert {file.stem for file in WORKFLOWS} == {"docs", "matrix", "test", "wheels"}


def test_workflows_follow_their_schema() -> None:
    check("vendor.github-workflows", *WORKFLOWS)


def test_updates_of_actions_follow_their_schema() -> None:
    check("vendor.dependabot", GITHUB / "dependabot.yml")


def test_an_invalid_workflow_is_found(tmp_path: Path) -> None:
    file = tmp_path / "wrong.yml"
    file.write_text("on: push\njobs:\n  a:\n    runs-on: x\n    step: []\n")
    with pytest.raises(AssertionError):
        check("vendor.github-workflows", file)


def test_workflows_have_no_known_vulnerability() -> None:
    """zizmor reports injections, excessive permissions, kept credentials and unpinned actions."""
    executable = Path(sys.executable).with_name("zizmor")
    done = run(executable, "--offline", "--no-progress", "--persona=regular", GITHUB)
    assert done.returncode == 0, done.stdout + done.stderr


def steps(file: Path) -> list[str]:
    """Return the commands of a workflow, line by line."""
    return [
        line
        for job in load(file)["jobs"].values()
        for step in job["steps"]
        for line in step.get("run", "").splitlines()
    ]


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_commands_of_a_workflow_exist(file: Path) -> None:
    commands = steps(file)
    assert commands
    for line in commands:
        for module in re.findall(r"python -m (tools[\w.]*)", line):
            path = ROOT / module.replace(".", "/")
            assert path.with_suffix(".py").is_file() or path.is_dir(), line
        for script in re.findall(r"(?:^| )(\.[\w/.-]*/[\w-]+)", line):
            assert (ROOT / script).is_file(), line


@pytest.mark.parametrize("file", sorted(GITHUB.rglob("ISSUE_TEMPLATE/*.yml")), ids=lambda f: f.stem)
def test_issue_forms_have_the_required_fields(file: Path) -> None:
    form = load(file)
    if file.stem == "config":
        assert form.keys() <= {"blank_issues_enabled", "contact_links"}
        return
    assert {"name", "description", "body"} <= form.keys()
    kinds = {"checkboxes", "dropdown", "input", "markdown", "textarea"}
    identifiers = [element["id"] for element in form["body"] if element["type"] != "markdown"]
    assert len(identifiers) == len(set(identifiers))
    for element in form["body"]:
        assert element["type"] in kinds
        assert element["attributes"].get("label") or element["type"] == "markdown"


def test_hooks_are_local_and_well_formed() -> None:
    file = ROOT / ".pre-commit-config.yaml"
    done = run(sys.executable, "-m", "pre_commit", "validate-config", file)
    assert done.returncode == 0, done.stdout
    (repository,) = load(file)["repos"]
    assert repository["repo"] == "local"
    entries = [shlex.split(hook["entry"]) for hook in repository["hooks"]]
    assert {words[0] for words in entries} == {"mypy", "pytest", "ruff"}
    for words in entries:
        if words[0] == "pytest":
            assert (ROOT / words[-1]).is_file()
