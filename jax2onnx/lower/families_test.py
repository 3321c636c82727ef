from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from jax import lax

from jax2onnx.lower import Context, register_lowering
from jax2onnx.lower.families import FAMILIES
from jax2onnx.lower.registry import LOWERINGS, known_primitives, rule_of


@pytest.fixture
def unchanged() -> Iterator[None]:
    before = dict(LOWERINGS)
    yield
    LOWERINGS.update(before)


@pytest.mark.parametrize("module", sorted(set(FAMILIES.values())))
def test_a_family_registers_the_primitives_in_the_table(module: str, unchanged: None) -> None:
    loaded = importlib.import_module(module)
    before = dict(LOWERINGS)
    importlib.reload(loaded)
    # A primitive that this release of JAX lacks has the name of its variable, with `_p`.
    registered = {
        primitive.name.removesuffix("_p")
        for primitive, rule in LOWERINGS.items()
        if before.get(primitive) is not rule
    }
    assert registered
    assert registered <= {name for name, family in FAMILIES.items() if family == module}


def test_a_rule_of_a_family_is_found() -> None:
    assert rule_of(lax.linalg.qr_p) is not None
    assert {"qr", "sin", "shard_map"} <= set(known_primitives())


def test_a_registered_rule_stays_when_the_family_is_imported(
    unchanged: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rule_of(lax.linalg.qr_p) is not None
    monkeypatch.delitem(sys.modules, FAMILIES["qr"])
    del LOWERINGS[lax.linalg.qr_p]
    del LOWERINGS[lax.linalg.householder_product_p]

    @register_lowering(lax.linalg.qr_p)
    def rule(_: Context, *operands: Any, **params: Any) -> Any:
        return operands

    assert rule_of(lax.linalg.householder_product_p) is not None
    assert rule_of(lax.linalg.qr_p) is rule
