"""Check that artifacts have the same bytes in every environment and folder."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path

from benchmarks.checkpoints import vit_b16
from benchmarks.exports import export
from benchmarks.processes import REPOSITORY
from benchmarks.report import heading, table, verdict
from benchmarks.settings import Settings

_ENVIRONMENTS: dict[str, Mapping[str, str]] = {
    "unchanged": {},
    "another hash seed": {"PYTHONHASHSEED": "12345"},
    "another time zone and language": {"TZ": "Pacific/Kiritimati", "LANG": "tr_TR.UTF-8"},
    "one thread": {"OMP_NUM_THREADS": "1"},
    "another HOME": {"HOME": "/nonexistent"},
    "XLA limited to AVX2": {"XLA_FLAGS": "--xla_cpu_max_isa=AVX2"},
}


def run_figure(settings: Settings) -> None:
    """Export each model in every environment, each time in another folder."""
    heading("The same bytes")
    fixtures = REPOSITORY / "weights" / "fixtures"
    models = {
        "gpt_oss": ("gpt_oss", fixtures / "gpt_oss_mxfp4"),
        "dinov3": ("dinov3", fixtures / "dinov3_vit"),
        "minilm": ("minilm", fixtures / "minilm_tiny"),
        "dinov3 vitb16": ("dinov3", vit_b16(settings.work)),
    }
    rows, digests = [], []
    for name, (family, weights) in models.items():
        found = {
            _digest(settings, family, weights, number, environment)
            for number, environment in enumerate(_ENVIRONMENTS.values())
        }
        digests.append(found)
        rows.append((name, len(_ENVIRONMENTS), len(found), " ".join(d[:16] for d in sorted(found))))
    table(("model", "exports", "different", "sha256"), rows)
    verdict(
        f"equal in {len(_ENVIRONMENTS)} environments: {', '.join(_ENVIRONMENTS)}",
        all(len(found) == 1 for found in digests),
    )


def _digest(
    settings: Settings, family: str, weights: Path, number: int, environment: Mapping[str, str]
) -> str:
    sandbox = settings.folder(f"bytes/{'deeper/' * number}{family}")
    artifact, _ = export(family, weights, sandbox, environment)
    digest = hashlib.sha256(artifact.read_bytes()).hexdigest()
    shutil.rmtree(sandbox)
    return digest
