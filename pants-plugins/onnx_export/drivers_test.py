"""The real drivers perform every request that the plugin sends."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from pathlib import Path

import pytest

from onnx_export.testing import Repository

PACKAGES = ("exporters", "jax2onnx", "weights")
FIXTURES = Path("weights/fixtures")

BUILD = """\
python_sources(
    name="sources", sources=["exporters/**/*.py", "jax2onnx/**/*.py", "weights/**/*.py"]
)
file(name="kernels", source="jax2onnx/legalise/ort_cpu.json")

_ALL = dict(dependencies=[":sources", ":kernels"])
_ABOUT = dict(licence="Apache-2.0", source="a test")
pinned_weights(name="pinned", pins="pins.json", **_ABOUT, **_ALL)
synthetic_weights(
    name="synthetic",
    generator="exporters.families.dinov3.checkpoint:synthetic",
    config="config.json",
    **_ABOUT,
    **_ALL,
)

onnx_model(
    name="minilm",
    exporter="exporters.families.minilm.export:export",
    weights=":pinned",
    options={"batch": 2},
    **_ALL,
)
onnx_model(
    name="dinov3",
    exporter="exporters.families.dinov3.export:export",
    weights=":synthetic",
    **_ALL,
)

_JAX = "exporters.families.{}.parity:against_jax"
onnx_parity_test(name="minilm_jax", model=":minilm", reference=_JAX.format("minilm"), **_ALL)
onnx_parity_test(
    name="dinov3_jax", model=":dinov3", reference=_JAX.format("dinov3"), atol=1e-4, **_ALL
)
onnx_parity_test(
    name="too_strict", model=":minilm", reference=_JAX.format("minilm"), atol=0, rtol=0, **_ALL
)
"""


def sources() -> dict[str, bytes]:
    """Return the sources of the drivers and of all that they import, by path."""
    found = [file for package in PACKAGES for file in Path(package).rglob("*.py")]
    found += Path("jax2onnx").rglob("*.json")
    return {str(file): file.read_bytes() for file in found if not file.name.endswith("_test.py")}


def constraints() -> str:
    """Return the interpreter constraints in the pants.toml of the repository."""
    match = re.search(r"^interpreter_constraints = (\[.*\])$", Path("pants.toml").read_text(), re.M)
    assert match
    return match[1]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Return a repository with the real sources and the real lockfile."""
    folder = tmp_path_factory.mktemp("real")
    origin = folder / "origin"
    origin.mkdir()
    pins = []
    for name in ("config.json", "model.safetensors"):
        content = (FIXTURES / "minilm_tiny" / name).read_bytes()
        (origin / name).write_bytes(content)
        pins.append({"name": name, "sha256": sha256(content).hexdigest(), "size": len(content)})
    made = Repository(folder, folder="")
    made.write(
        {
            **sources(),
            "BUILD": BUILD,
            "config.json": (FIXTURES / "dinov3_vit" / "config.json").read_bytes(),
            "export.lock": Path("3rdparty/python/export.lock").read_bytes(),
            "pins.json": json.dumps({"origin": f"file://{origin}", "files": pins}),
        }
    )
    made.configure(
        [
            "--python-resolves={'export': 'export.lock'}",
            "--python-default-resolve=export",
            f"--python-interpreter-constraints={constraints()}",
            "--python-infer-unowned-dependency-behavior=ignore",
        ]
    )
    return made


def test_pinned_weights_are_fetched_and_exported(repository: Repository) -> None:
    manifest = repository.manifest("minilm")
    assert manifest["target"] == "//:minilm"
    assert manifest["options"] == {"batch": 2}
    (weights,) = manifest["weights"]
    assert (weights["target"], weights["licence"]) == ("//:pinned", "Apache-2.0")
    view = repository.weights_cache / weights["folder"]
    assert {file.name for file in view.iterdir()} == {"config.json", "model.safetensors"}


@pytest.mark.parametrize("name", ["minilm_jax", "dinov3_jax"])
def test_artifacts_agree_with_jax(repository: Repository, name: str) -> None:
    result = repository.test(name)
    assert result.exit_code == 0, result.stderr
    assert ": ok, " in result.stdout


def test_a_disagreement_fails_with_its_report(repository: Repository) -> None:
    result = repository.test("too_strict")
    assert result.exit_code == 1
    assert "largest relative error" in result.stdout
    assert "case(s) disagree" in result.stderr
