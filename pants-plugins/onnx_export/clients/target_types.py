"""The target type ``onnx_client_test``, which ``./pants help onnx_client_test`` documents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pants.engine.target import COMMON_TARGET_FIELDS, Dependencies, StringField, Target
from pants.util.strutil import help_text

from onnx_export.compat import EnvironmentField
from onnx_export.models.target_types import ResolveField
from onnx_export.parity.target_types import (
    AtolField,
    DataField,
    ParityModelField,
    ParityTimeoutField,
    ReferenceField,
    RtolField,
)


@dataclass(frozen=True)
class Installation:
    """Packages that ``build-support/install_clients NAME`` installs.

    Attributes:
        name: the name of the installation.
        lock: the file that pins the packages, below the root of the repository.
        interpreter: the program that runs the client.
    """

    name: str
    lock: str
    interpreter: str


_ONNXRUNTIME = Installation("onnxruntime", "3rdparty/python/client-onnxruntime.lock", "python")
_TORCH = Installation("torch", "3rdparty/python/client-torch.lock", "python")
_NODE = Installation("node", "3rdparty/node/package-lock.json", "node")
CLIENTS: Mapping[str, Installation] = {
    "onnxruntime": _ONNXRUNTIME,
    "onnxruntime-node": _NODE,
    "optimum": _TORCH,
    "sentence-transformers": _TORCH,
    "transformers.js": _NODE,
}
"""The installation of each client."""


class ClientField(StringField):
    alias = "client"
    required = True
    value: str
    valid_choices = tuple(CLIENTS)
    help = help_text(
        """
        The program that loads the folder of the model:

          - `onnxruntime`, `onnxruntime-node`: the artifact in ONNX Runtime, in Python and in Node.

          - `optimum`: `ORTModelForFeatureExtraction`.

          - `sentence-transformers`: `SentenceTransformer(..., backend="onnx")`, which must use this
            artifact, export nothing, and hold no parameters in torch.

          - `transformers.js`: `pipeline("feature-extraction")`.
        """
    )


class ClientDependenciesField(Dependencies):
    """Inferred dependencies are the driver and the modules of the reference and the exporter."""


class OnnxClientTestTarget(Target):
    alias = "onnx_client_test"
    core_fields = (
        *COMMON_TARGET_FIELDS,
        ClientField,
        ParityModelField,
        ReferenceField,
        DataField,
        AtolField,
        RtolField,
        ParityTimeoutField,
        ResolveField,
        ClientDependenciesField,
        EnvironmentField,
    )
    help = help_text(
        """
        A test that loads the folder of an exported model in a program that people use, and compares
        what it computes with a reference.

        Example:

            onnx_client_test(
                name="minilm_sentence_transformers",
                client="sentence-transformers",
                model=":minilm_hub",
                reference="exporters.families.minilm.parity:against_jax",
                atol=1e-6,
                rtol=0.0,
            )

        The client runs in an environment of its own, with locked packages, which
        `build-support/install_clients` installs. On a machine without it, the test is SKIPPED with
        a warning, or fails if `[onnx-export].required_clients` names the client.
        """
    )
