"""The code of the guide to target types runs, and its target works as described."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
from pants.core.goals.test import TestResult
from pants.engine.addresses import Address
from pants.testutil.rule_runner import QueryRule

from onnx_export.testing import Repository

GUIDE = Path(__file__).parents[2] / "docs" / "contributing" / "target_types.md"
FILE = re.compile(r'^```python title="([^"]+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)


def test_the_target_of_the_guide_limits_the_size(
    caches: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, code in FILE.findall(GUIDE.read_text("utf-8")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(code, "utf-8")
    (tmp_path / "size_limit" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    register = importlib.import_module("size_limit.register")
    request = importlib.import_module("size_limit.rules").SizeRequest
    repository = Repository(
        caches,
        rules=[*register.rules(), QueryRule(TestResult, [request.Batch])],
        target_types=register.target_types(),
    )
    repository.reset(salt="guide")
    repository.write(
        {
            "m/tiny/model.safetensors": "w" * 2500,
            "m/limits/BUILD": 'onnx_size_test(name="low", model="m:model", kilobytes=2)\n'
            'onnx_size_test(name="high", model="m:model", kilobytes=3)\n',
        }
    )

    def run(name: str) -> TestResult:
        target = repository.runner.get_target(Address("m/limits", target_name=name))
        field_set = request.field_set_type.create(target)
        batch = request.Batch("", (field_set,), partition_metadata=None)
        return repository.runner.request(TestResult, [batch])

    assert run("high").exit_code == 0
    low = run("low")
    assert low.exit_code == 1
    assert "has 2,504 bytes, and the limit is 2,000." in low.stdout
