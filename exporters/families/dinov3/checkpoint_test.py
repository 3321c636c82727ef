from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from exporters.families.dinov3.checkpoint import tensors
from exporters.families.dinov3.config import parse
from weights import Checkpoint

CONFIGS = Path(__file__).parent / "configs"
FIXTURES = Path(__file__).parents[3] / "weights" / "fixtures"


@pytest.mark.parametrize(
    ("variant", "millions", "count"),
    [
        ("vits16", 21.6, 211),
        ("vits16plus", 28.7, 235),
        ("vitb16", 85.7, 211),
        ("vitl16", 303.1, 415),
        ("vith16plus", 840.6, 615),
        ("vit7b16", 6716.0, 687),
        ("convnext_tiny", 27.8, 180),
        ("convnext_small", 49.5, 342),
        ("convnext_base", 87.6, 342),
        ("convnext_large", 196.2, 342),
    ],
)
def test_published_variants(variant: str, millions: float, count: int) -> None:
    layout = tensors(parse(json.loads((CONFIGS / f"{variant}.json").read_text())))
    assert sum(math.prod(shape) for _, shape in layout.values()) / 1e6 == pytest.approx(
        millions, abs=0.05
    )
    assert len(layout) == count


@pytest.mark.parametrize("kind", ["vit", "vit_gated", "vit_nobias", "vit_bf16", "convnext"])
def test_the_layout_is_that_of_transformers(kind: str) -> None:
    checkpoint = Checkpoint.open(FIXTURES / f"dinov3_{kind}")
    stored = {name: (info.dtype, info.shape) for name, info in checkpoint.tensors.items()}
    dtype = "BF16" if kind == "vit_bf16" else "F32"
    assert tensors(parse(checkpoint.json()), dtype) == stored
