"""Fields accept valid values, and refuse others with a message."""

from __future__ import annotations

from typing import Any

import pytest
from pants.engine.addresses import Address
from pants.engine.target import Field, InvalidFieldException, RequiredFieldMissingException
from pants.engine.unions import UnionMembership
from pants.help.help_info_extracter import TargetTypeHelpInfo

from onnx_export.models.target_types import (
    ExporterField,
    OnnxModelTarget,
    OnnxPathField,
    OpsetField,
    OptionsField,
    WeightsField,
)
from onnx_export.parity.target_types import AtolField, OnnxParityTestTarget, RtolField
from onnx_export.weights.target_types import (
    WEIGHTS_TARGET_TYPES,
    LicenceField,
    ProvenanceField,
    WeightsUrlField,
)

HERE = Address("exporters", target_name="gpt_oss")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (ExporterField, "exporters.families.gpt_oss"),
        (ExporterField, "exporters.families.gpt_oss:"),
        (ExporterField, "exporters/gpt_oss.py:export"),
        (ExporterField, "a:b:c"),
        (OptionsField, ["a"]),
        (OptionsField, {"a": object()}),
        (OptionsField, {1: "a"}),
        (OptionsField, {"a": float("nan")}),
        (OpsetField, 0),
        (AtolField, -1.0),
        (AtolField, "1"),
        (AtolField, float("nan")),
        (RtolField, float("inf")),
        (OnnxPathField, "model.onnx"),
        (OnnxPathField, "/tmp/model.onnx"),
        (OnnxPathField, "../models/model.onnx"),
        (OnnxPathField, "models/model.pb"),
        (WeightsField, []),
        (WeightsField, ""),
        (WeightsField, ["a", "b"]),
        (WeightsUrlField, "http://example.org/weights"),
        (WeightsUrlField, "/srv/weights"),
    ],
)
def test_refusal_names_field_and_target(field: type[Field], value: Any) -> None:
    with pytest.raises(InvalidFieldException) as caught:
        field(value, HERE)
    assert f"'{field.alias}'" in str(caught.value)
    assert str(HERE) in str(caught.value)


@pytest.mark.parametrize("field", [LicenceField, ProvenanceField, ExporterField, WeightsField])
def test_required(field: type[Field]) -> None:
    with pytest.raises(RequiredFieldMissingException, match=field.alias):
        field(None, HERE)


def test_every_target_of_weights_has_licence_and_source() -> None:
    for kind in WEIGHTS_TARGET_TYPES:
        assert {LicenceField, ProvenanceField} <= set(kind.core_fields)


def test_options_do_not_depend_on_the_order_of_keys() -> None:
    one = OptionsField({"a": 1, "b": {"c": [1, None], "d": "B"}}, HERE)
    two = OptionsField({"b": {"d": "B", "c": (1, None)}, "a": 1}, HERE)
    assert one == two
    assert one.parsed() == {"a": 1, "b": {"c": [1, None], "d": "B"}}


def test_a_tolerance_may_be_written_as_an_integer() -> None:
    assert AtolField(1, HERE).value == 1.0


@pytest.mark.parametrize(
    ("address", "path"),
    [
        (HERE, "exporters/gpt_oss/gpt_oss.onnx"),
        (Address("exporters/gpt_oss"), "exporters/gpt_oss/gpt_oss/gpt_oss.onnx"),
        (Address("", target_name="top"), "top/top.onnx"),
        (
            Address("m", target_name="x", parameters={"opset": "18"}),
            "m/x-opset-18/x-opset-18.onnx",
        ),
    ],
)
def test_each_model_has_a_folder_of_its_own(address: Address, path: str) -> None:
    assert OnnxPathField(None, address).path == path


def test_the_path_can_be_chosen() -> None:
    assert OnnxPathField("models/tiny/tiny.onnx", HERE).path == "models/tiny/tiny.onnx"


@pytest.mark.parametrize("target", [OnnxModelTarget, OnnxParityTestTarget, *WEIGHTS_TARGET_TYPES])
def test_every_target_and_field_has_help(target: Any) -> None:
    about = TargetTypeHelpInfo.create(
        target,
        union_membership=UnionMembership({}),
        get_field_type_provider=None,
        provider="onnx_export",
    )
    assert "Example:" in about.description
    for field in about.fields:
        assert field.description
        assert field.type_hint
