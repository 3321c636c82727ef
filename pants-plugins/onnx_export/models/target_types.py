"""The target type ``onnx_model``; its help, ``./pants help onnx_model``, documents it."""

from __future__ import annotations

from pants.core.goals.package import OutputPathField
from pants.engine.addresses import Address
from pants.engine.target import (
    COMMON_TARGET_FIELDS,
    Dependencies,
    IntField,
    InvalidFieldException,
    StringField,
    Target,
    ValidNumbers,
)
from pants.util.strutil import help_text

from onnx_export.compat import EnvironmentField
from onnx_export.fields import AddressField, FunctionField, JsonField
from onnx_export.layouts import FLAT, LAYOUTS


class ExporterField(FunctionField):
    alias = "exporter"
    help = help_text(
        """
        The function that builds the model, as `package.module:function`. It is called as
        `function(checkpoint, **options)` and returns an `exporters.model.exportable.Exportable`.

        Example: `exporter="exporters.families.gpt_oss.export:export"`
        """
    )


class WeightsField(AddressField):
    alias = "weights"
    help = help_text(
        """
        The address of the weights: a `safetensors_weights`, `pinned_weights`, `synthetic_weights`,
        `derived_weights` or `wheel_weights` target.
        """
    )


class OptionsField(JsonField):
    alias = "options"
    help = help_text(
        """
        Keyword arguments of the exporter, such as a variant or the names of symbolic dimensions.
        They may be any JSON values.

        Example: `options={"batch": "B", "sequence": "T"}`
        """
    )


class OpsetField(IntField):
    alias = "opset"
    default = 23
    value: int
    valid_numbers = ValidNumbers.positive_only
    help = "The version of the ONNX operator set that the model uses."


class LayoutField(StringField):
    alias = "layout"
    default = FLAT
    value: str
    valid_choices = tuple(LAYOUTS)
    help = help_text(
        """
        The layout of the model's folder:

          - `flat`: NAME.onnx, with the weights and the side files beside it.

          - `hub`: `onnx/model.onnx` and the weights in `onnx/`, the side files above it, as
            optimum, sentence-transformers and transformers.js expect.

          - `hub-onnx-data`: as `hub`, with the weights under the name `model.onnx_data`.

          - `hub-single-file`: as `hub`, with the weights inside `onnx/model.onnx`, for browsers.

          - `single-file`: NAME.onnx with the weights inside, and the side files beside it.

        An artifact with the weights inside ends at 2 GiB.
        """
    )


class ResolveField(StringField):
    alias = "resolve"
    help = help_text(
        """
        The resolve (see `[python].resolves`) whose lockfile the process runs with. It selects
        third-party packages only. First-party sources are used whatever their own resolve is.

        By default `[onnx-export].resolve`.
        """
    )


class OnnxPathField(OutputPathField):
    help = help_text(
        """
        The path of the artifact below the folder of results (`dist/`). The manifest and the
        weights are written beside it, so give each model a folder of its own. Layouts other than
        `flat` place the artifact within this folder.

        By default, the artifact has a folder named after the target: `exporters:gpt_oss` is
        written to `exporters/gpt_oss/gpt_oss.onnx`.
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
    """Inferred dependencies are the driver and the exporter's module."""


class OnnxModelTarget(Target):
    alias = "onnx_model"
    core_fields = (
        *COMMON_TARGET_FIELDS,
        ExporterField,
        WeightsField,
        OptionsField,
        OpsetField,
        LayoutField,
        ResolveField,
        OnnxPathField,
        ModelDependenciesField,
        EnvironmentField,
    )
    help = help_text(
        """
        A model that is exported to ONNX from a Python function and a set of weights.

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

        The artifact refers to the files of the weights. Weights of more than 256 MB are never
        copied. For them, the summary prints the option of ONNX Runtime that loads them from where
        they lie, and

            ./pants run exporters:gpt_oss -- --materialize DIR

        makes a complete folder, whatever the size of the weights.

        The export runs in a sandbox. It sees the exporter's sources (inferred from its imports),
        the weights and the locked requirements, but neither the network nor your environment. The
        result is cached. The export runs again when one of these changes: the exporter's code, the
        digests of the weights, the lockfile, the options, the opset.
        """
    )
