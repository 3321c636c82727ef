"""Models and their tests as targets. Their help is the reference: `./pants help onnx_model`."""

from __future__ import annotations

from typing import Any

from pants.core.goals.package import OutputPathField
from pants.core.goals.test import TestTimeoutField
from pants.engine.addresses import Address
from pants.engine.target import (
    COMMON_TARGET_FIELDS,
    Dependencies,
    FloatField,
    IntField,
    InvalidFieldException,
    StringField,
    Target,
    ValidNumbers,
)
from pants.util.strutil import help_text

from onnx_export.compat import EnvironmentField
from onnx_export.fields import AddressField, FunctionField, JsonField

# --- onnx_model ----------------------------------------------------------------------------------


class ExporterField(FunctionField):
    alias = "exporter"
    help = help_text(
        """
        The function that builds the model, as `package.module:function`. It is called as
        `function(checkpoint, **options)` and returns an `exporters.artifact.exportable.Exportable`.

        Example: `exporter="exporters.families.gpt_oss.export:export"`
        """
    )


class WeightsField(AddressField):
    alias = "weights"
    help = help_text(
        """
        The address of the weights: a `safetensors_weights`, `pinned_weights`, `synthetic_weights`
        or `wheel_weights` target.
        """
    )


class OptionsField(JsonField):
    alias = "options"
    help = help_text(
        """
        Keyword arguments for the exporter, such as a variant or the names of symbolic dimensions.
        Any JSON values.

        Example: `options={"batch": "B", "sequence": "T"}`
        """
    )


class OpsetField(IntField):
    alias = "opset"
    default = 23
    value: int
    valid_numbers = ValidNumbers.positive_only
    help = "The version of the ONNX operator set that the model is written in."


class ResolveField(StringField):
    alias = "resolve"
    help = help_text(
        """
        The resolve (see `[python].resolves`) whose lock the process runs in. It selects third-party
        code only: the sources are those of the repository, whatever their own resolve.

        By default `[onnx-export].resolve`.
        """
    )


class OnnxPathField(OutputPathField):
    help = help_text(
        """
        Where the artifact goes, relative to the folder of results (`dist/`). Its manifest and its
        weights lie beside it, so let each model have a folder of its own.

        By default a folder named after the target: `exporters:gpt_oss` goes to
        `exporters/gpt_oss/gpt_oss.onnx`.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: str | None, address: Address) -> str | None:
        value = super().compute_value(raw_value, address)
        if value is None:
            return None
        parts = value.split("/")
        if not value.endswith(".onnx") or len(parts) < 2 or {"", ".", ".."} & set(parts):
            raise InvalidFieldException(
                f"The {cls.alias!r} field of {address} must be a relative path to an .onnx file in "
                f"a folder, such as 'models/tiny/tiny.onnx', but it is {value!r}."
            )
        return value

    @property
    def path(self) -> str:
        """The artifact's path relative to the folder of results."""
        if self.value:
            return self.value
        address = self.address
        name = address.generated_name or address.target_name
        name += address.parameters_repr.replace("@", "-").replace("=", "-").replace(",", "-")
        return "/".join(part for part in (address.spec_path, name, f"{name}.onnx") if part)


class ModelDependenciesField(Dependencies):
    """Inferred: the driver and the exporter's module."""


class OnnxModelTarget(Target):
    alias = "onnx_model"
    core_fields = (
        *COMMON_TARGET_FIELDS,
        ExporterField,
        WeightsField,
        OptionsField,
        OpsetField,
        ResolveField,
        OnnxPathField,
        ModelDependenciesField,
        EnvironmentField,
    )
    help = help_text(
        """
        A model, exported to ONNX from a Python function and a set of weights.

        Example:

            onnx_model(
                name="gpt_oss",
                exporter="exporters.families.gpt_oss.export:export",
                weights="weights:gpt_oss_tiny",
                options={"batch": "B", "sequence": "T"},
                opset=23,
            )

            ./pants run exporters:gpt_oss

        writes `dist/exporters/gpt_oss/gpt_oss.onnx`, its manifest, and the weights beside it, and
        prints a summary. `./pants package ::` does the same for all models, without the summaries.

        The artifact points into the weights' own files. Weights of more than 256 MB are never
        copied: the summary prints the option of ONNX Runtime that loads them from where they lie,
        and

            ./pants run exporters:gpt_oss -- --materialize DIR

        makes a folder that is complete whatever their size.

        The export runs in a sandbox that sees the exporter's sources (inferred from its imports),
        the weights and the locked requirements, and neither network nor environment. The result is
        cached. It is made again when one of these changes: the exporter's code, the weights'
        digests, the lock, the options, the opset.
        """
    )


# --- onnx_parity_test ----------------------------------------------------------------------------


class ParityModelField(AddressField):
    alias = "model"
    help = "The address of the `onnx_model` under test."


class ReferenceField(FunctionField):
    alias = "reference"
    help = help_text(
        """
        The function that knows what the model ought to compute, as `package.module:function`. It is
        called as `function(checkpoint, data, **options)` with the options of the model, and yields
        `exporters.artifact.exportable.ParityCase` objects.

        Example: `reference="exporters.families.gpt_oss.parity:against_torch"`
        """
    )


class DataField(AddressField):
    alias = "data"
    required = False
    help = help_text(
        """
        The address of a `file` for the reference to read, such as the outputs of another
        implementation (`.npz`).
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

        A `cuda` test wants a resolve with `onnxruntime-gpu`. Its result is cached for the GPU that
        it ran on. Where there is none it is SKIPPED with a warning, or fails under
        `[onnx-export].require_cuda`.
        """
    )


class _ToleranceField(FloatField):
    value: float
    valid_numbers = ValidNumbers.positive_and_zero

    @classmethod
    def compute_value(cls, raw_value: float | None, address: Address) -> float | None:
        given: Any = raw_value
        return super().compute_value(float(given) if isinstance(given, int) else given, address)


class AtolField(_ToleranceField):
    alias = "atol"
    default = 1e-5
    help = "How far an output may lie from the reference, absolutely."


class RtolField(_ToleranceField):
    alias = "rtol"
    default = 1e-4
    help = "How far an output may lie from the reference, relative to the reference."


class ParityTimeoutField(TestTimeoutField):
    pass


class ParityDependenciesField(Dependencies):
    """Inferred: the driver and the modules of the reference and of the model's exporter."""


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
        Holds an exported model, run by ONNX Runtime, against a reference.

        Example:

            onnx_parity_test(
                name="gpt_oss_mxfp4_torch",
                model=":gpt_oss",
                reference="exporters.families.gpt_oss.parity:against_torch",
                data="weights:gpt_oss_reference",
                atol=1e-4,
            )

        `./pants test exporters:gpt_oss_mxfp4_torch` exports the model, or takes it from the
        cache, and compares every output of every case. The result is cached like that of any test.
        """
    )


TARGET_TYPES = (OnnxModelTarget, OnnxParityTestTarget)
