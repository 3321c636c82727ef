"""An artifact has the same bytes in every process that makes it."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from tests.commands import copy_fixture, export_request, run

AVX_512 = [
    "AVX512F",
    "AVX512CD",
    "AVX512_SKX",
    "AVX512_CLX",
    "AVX512_CNL",
    "AVX512_ICL",
    "AVX512_SPR",
    "X86_V4",
]
"""The CPU features beyond AVX2, by their names in numpy."""


def export(
    sandbox: Path,
    family: str,
    fixture: str,
    environment: Mapping[str, str] | None = None,
    before: Callable[[], None] | None = None,
) -> tuple[bytes, bytes]:
    """Return the bytes of the artifact and of its manifest."""
    folder = copy_fixture(fixture, sandbox / "weights")
    (sandbox / "spec.json").write_text(export_request(folder, family))
    done = run(["-m", "exporters.drivers.build", "spec.json"], sandbox, environment, before)
    assert done.returncode == 0, done.stderr
    out = sandbox / "out"
    return (out / "model.onnx").read_bytes(), (out / "model.manifest.json").read_bytes()


def numpy_features() -> list[str]:
    """Return the members of ``AVX_512`` that this machine has and numpy dispatches to."""
    numpy = importlib.import_module("numpy._core._multiarray_umath")
    present = numpy.__cpu_features__
    return [name for name in AVX_512 if name in numpy.__cpu_dispatch__ and present.get(name)]


def another_process() -> None:
    os.umask(0o077)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])


@pytest.mark.parametrize(
    ("family", "fixture"),
    [("gpt_oss", "gpt_oss_mxfp4"), ("dinov3", "dinov3_vit"), ("minilm", "minilm_tiny")],
)
def test_equal_builds_give_equal_bytes(tmp_path: Path, family: str, fixture: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    here = export(tmp_path / "here", family, fixture)
    elsewhere = export(
        tmp_path / "a folder" / "elsewhere",
        family,
        fixture,
        {
            "PYTHONHASHSEED": "12345",
            "HOME": str(home),
            "TZ": "Pacific/Kiritimati",
            "LANG": "tr_TR.UTF-8",
            "LC_ALL": "C",
            "OMP_NUM_THREADS": "1",
        },
        another_process,
    )
    assert elsewhere == here
    limited = {"XLA_FLAGS": "--xla_cpu_max_isa=AVX2"}
    if features := numpy_features():
        limited["NPY_DISABLE_CPU_FEATURES"] = " ".join(features)
    assert export(tmp_path / "avx2", family, fixture, limited) == here


def test_artifacts_contain_nothing_of_the_machine(tmp_path: Path) -> None:
    artifact, manifest = export(tmp_path / "sandbox", "gpt_oss", "gpt_oss_mxfp4")
    for place in (tmp_path, Path(__file__).parents[1], Path(np.__file__).parents[1], Path.home()):
        if place != Path("/"):
            assert str(place).encode() not in artifact + manifest
