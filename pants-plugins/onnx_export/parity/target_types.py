"""The target type ``onnx_parity_test``, which ``./pants help onnx_parity_test`` documents."""

from __future__ import annotations

import math
from typing import Any

from pants.core.goals.test import TestTimeoutField
from pants.engine.addresses import Address
from pants.engine.target import (
    COMMON_TARGET_FIELDS,
    Dependencies,
    FloatField,
    InvalidFieldException,
    StringField,
    Target,
    ValidNumbers,
)
from pants.util.strutil import help_text

from onnx_export.compat import EnvironmentField
from onnx_export.fields import AddressField, FunctionField
from onnx_export.models.target_types import ResolveField


class ParityModelField(AddressField):
    alias = "model"
    help = "The address of the `onnx_model` under test."


class ReferenceField(FunctionField):
    alias = "reference"
    help = help_text(
        """
        The function that yields inputs and expected outputs, as `package.module:function`. It is
        called as `function(checkpoint, data, **options)` with the options of the model, and yields
        `exporters.model.exportable.ParityCase` objects.

        Example: `reference="exporters.families.gpt_oss.parity:against_torch"`
        """
    )


class DataField(AddressField):
    alias = "data"
    required = False
    help = help_text(
        """
        The address of a `file` that the reference reads, such as an `.npz` of the outputs of
        another implementation.
        """
    )


class ExecutionProviderField(StringField):
    alias = "execution_provider"
    default = "cpu"
    value: str
    valid_choices = ("cpu", "cuda")
    help = help_text(
        """
        The execution provider of ONNX Runtime.

        A `cuda` test needs a resolve with `onnxruntime-gpu`. Its result is cached for the GPU that
        it ran on. On a machine without a GPU the test is SKIPPED with a warning, or fails if
        `[onnx-export].require_cuda` is set.
        """
    )


class _ToleranceField(FloatField):
    value: float
    valid_numbers = ValidNumbers.positive_and_zero

    @classmethod
    def compute_value(cls, raw_value: float | None, address: Address) -> float | None:
        given: Any = raw_value
        if isinstance(given, int):
            try:
                given = float(given)
            except OverflowError:
                given = math.inf
        value = super().compute_value(given, address)
        if value is not None and not math.isfinite(value):
            raise InvalidFieldException(
                f"The {cls.alias!r} field of {address} is {value}, with which every comparison "
                "would pass or none: give a finite number, 0 or more."
            )
        return value


class AtolField(_ToleranceField):
    alias = "atol"
    default = 1e-5
    help = "The absolute tolerance: an output may differ by `atol + rtol * |expected|`."


class RtolField(_ToleranceField):
    alias = "rtol"
    default = 1e-4
    help = "The relative tolerance: an output may differ by `atol + rtol * |expected|`."


class ParityTimeoutField(TestTimeoutField):
    pass


class ParityDependenciesField(Dependencies):
    """Inferred dependencies are the driver and the modules of the reference and the exporter."""


class OnnxParityTestTarget(Target):
    alias = "onnx_parity_test"
    core_fields = (
        *COMMON_TARGET_FIELDS,
        ParityModelField,
        ReferenceField,
        DataField,
        ExecutionProviderField,
        AtolField,
        RtolField,
        ParityTimeoutField,
        ResolveField,
        ParityDependenciesField,
        EnvironmentField,
    )
    help = help_text(
        """
        A test that runs an exported model on ONNX Runtime and compares it with a reference.

        Example:

            onnx_parity_test(
                name="gpt_oss_mxfp4_torch",
                model=":gpt_oss",
                reference="exporters.families.gpt_oss.parity:against_torch",
                data="weights:gpt_oss_reference",
                atol=1e-4,
            )

        `./pants test exporters:gpt_oss_mxfp4_torch` exports the model, or takes it from the
        cache, and compares every output of every case. The result is cached as for any test.
        """
    )
