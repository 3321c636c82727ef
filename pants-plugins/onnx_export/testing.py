"""A tiny repository for the tests of this backend: one model, and one of each kind of weights.

Its drivers read requests with the real schema, do next to nothing, and keep a log of what ran. The
log is in the named cache of weights, which is not part of any cache key.
"""

from __future__ import annotations

import inspect
import json
import shutil
import sys
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from pants.backend.python import target_types_rules
from pants.backend.python.dependency_inference import rules as dependency_inference
from pants.backend.python.target_types import PythonSourcesGeneratorTarget
from pants.backend.python.util_rules import local_dists
from pants.core.goals import package as package_goal
from pants.core.goals import test as test_goal
from pants.core.goals.package import BuiltPackage
from pants.core.goals.run import RunRequest
from pants.core.goals.test import TestResult
from pants.core.target_types import FileTarget
from pants.core.target_types import rules as core_target_types_rules
from pants.core.util_rules import config_files, distdir, source_files, stripped_source_files
from pants.engine.addresses import Address, Addresses
from pants.engine.fs import Digest, DigestContents
from pants.engine.internals.scheduler import ExecutionError
from pants.engine.target import Dependencies, DependenciesRequest, FieldSet, Target
from pants.engine.unions import UnionRule
from pants.testutil.python_rule_runner import PythonRuleRunner
from pants.testutil.rule_runner import QueryRule

from onnx_export import register, request
from onnx_export.clients.goal import ClientFieldSet, ClientRequest
from onnx_export.compat import Rule
from onnx_export.errors import OnnxExportError
from onnx_export.models.export import ExportedModel, ExportRequest, OnnxModelFieldSet
from onnx_export.parity.goal import ParityFieldSet, ParityRequest
from onnx_export.run.weights import RunWeightsFieldSet

INHERITED = frozenset(
    {
        "HOME",
        "HTTPS_PROXY",
        "PATH",
        "PYENV_ROOT",
        "PANTS_CA_CERTS_PATH",
        "PANTS_PEX_CLI_KNOWN_VERSIONS",
        "PANTS_PEX_CLI_URL_TEMPLATE",
        "PANTS_PEX_CLI_VERSION",
        "PANTS_PYTHON_BOOTSTRAP_SEARCH_PATH",
        "PANTS_PYTHON_REPOS_FIND_LINKS",
        "PANTS_PYTHON_REPOS_INDEXES",
    }
)
PINNED = b"pinned bytes"
LARGE = 30

_BUILD = """\
python_sources()
file(name="data", source="data.txt")

_ABOUT = dict(licence="Apache-2.0", source="a test")
safetensors_weights(name="repository", files=["tiny/*"], **_ABOUT)
synthetic_weights(name="synthetic", generator="m.gen:make", config="config.json", **_ABOUT)
synthetic_weights(name="large", generator="m.gen:make", config="large.json", **_ABOUT)
derived_weights(name="derived", function="m.derive:twice", weights=":repository", **_ABOUT)
derived_weights(name="larger", function="m.derive:twice", weights=":pinned", **_ABOUT)
pinned_weights(name="pinned", pins="pins.json", **_ABOUT)
wheel_weights(name="wheel", resolve="wheel", folder="tiny/model", **_ABOUT)

_MODEL = dict(exporter="m.exp:export")
onnx_model(name="model", weights=":repository", options={"suffix": "!"}, **_MODEL)
onnx_model(name="hub", weights=":repository", layout="hub", **_MODEL)
onnx_model(name="of_synthetic", weights=":synthetic", **_MODEL)
onnx_model(name="of_large", weights=":large", **_MODEL)
onnx_model(name="of_derived", weights=":derived", **_MODEL)
onnx_model(name="of_larger", weights=":larger", **_MODEL)
onnx_model(name="of_pinned", weights=":pinned", **_MODEL)
onnx_model(name="of_wheel", weights=":wheel", **_MODEL)

onnx_parity_test(name="parity", model=":model", reference="m.ref:same", data=":data")
onnx_parity_test(name="wrong", model=":model", reference="m.ref:other")
onnx_parity_test(name="of_pinned_parity", model=":of_pinned", reference="m.ref:same")
onnx_client_test(name="client", client="onnxruntime", model=":hub", reference="m.ref:same")
onnx_client_test(name="linked", client="optimum", model=":of_pinned", reference="m.ref:same")
onnx_parity_test(name="cuda", model=":model", reference="m.ref:same", execution_provider="cuda")
"""

_COMMON = """\
import importlib, json, os, sys
from hashlib import sha256
from pathlib import Path
from m.request import *

text = Path(sys.argv[1]).read_text()
request = from_json(text)

def log():
    with open("__cache/weights/log", "a") as file:
        print(request.action, request.target, file=file)

def place(files):
    return "views/" + sha256(files_to_json(files).encode()).hexdigest()

def folder():
    weights = request.weights
    if weights.folder is not None:
        return weights.folder
    found = Path(weights.store, place(weights.files))
    if not found.is_dir():
        sys.exit((print(f"{weights.target} is absent", file=sys.stderr), UNAVAILABLE)[1])
    return found

def function(name):
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)
"""

_FILES = {
    "BUILD": "",
    "3rdparty/export.lock": "",
    "3rdparty/wheel.lock": "tiny==1.0\n",
    "3rdparty/python/client-onnxruntime.lock": "onnxruntime==1\n",
    "3rdparty/python/client-torch.lock": "torch==1\n",
    "m/BUILD": _BUILD,
    "m/__init__.py": "",
    "m/common.py": _COMMON,
    "m/request.py": inspect.getsource(request),
    "m/build.py": """\
from m.common import *
inputs = folder()
log()
made = function(request.exporter)(Path(inputs), **request.options)
output = Path(request.output)
output.parent.mkdir()
output.write_text(made)
manifest = {"request": json.loads(text), "environment": dict(os.environ)}
output.with_suffix(".manifest.json").write_text(json.dumps(manifest))
""",
    "m/parity.py": """\
from m.common import *
inputs = folder()
log()
want = function(request.reference)(Path(inputs), **request.options)
if request.data:
    print(Path(request.data).read_text())
got = Path(request.model).read_text()
print(f"{got} is compared with {want} on {request.execution_provider}")
if got != want:
    sys.exit(1)
report = Path(request.report)
report.parent.mkdir()
report.write_text("{}")
""",
    "m/cases.py": """\
from m.common import *
inputs = folder()
log()
output = Path(request.output)
output.parent.mkdir()
output.write_text(function(request.reference)(Path(inputs), **request.options))
""",
    "m/run_python.py": """\
import json, os, sys
from pathlib import Path
request = json.loads(Path(sys.argv[1]).read_text())
folder = Path(request["folder"])
files = sorted(str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file())
print(request["client"], "sees", *files)
if (folder / request["artifact"]).read_text() != Path(request["cases"]).read_text():
    sys.exit("it differs")
""",
    "m/provide.py": """\
from m.common import *
inputs = folder() if request.action == "derive" else None
log()
output = Path("__out")
output.mkdir()
if request.action in ("synthesise", "derive"):
    content = (
        function(request.function)(Path(inputs))
        if request.action == "derive"
        else function(request.generator)(request.config)
    )
    listing = [File("w", sha256(content).hexdigest(), len(content))]
    (output / LISTING).write_text(files_to_json(listing))
    if len(content) <= request.store_above:
        (output / "w").write_bytes(content)
        sys.exit()
else:
    Path("__cache/weights/token").write_text(os.environ.get("HF_TOKEN", ""))
    listing = request.files
    if request.url is None or not Path(request.url[len("file://"):]).is_file():
        sys.exit(f"{request.target} cannot be fetched from {request.url}")
    content = Path(request.url[len("file://"):]).read_bytes()
view = Path(request.store, place(listing))
view.mkdir(parents=True, exist_ok=True)
(view / listing[0].name).write_bytes(content)
print(place(listing))
""",
    "m/helper.py": "",
    "m/exp.py": """\
import m.helper
def export(folder, suffix=""):
    return " ".join(f.read_text() for f in sorted(folder.iterdir()) if f.is_file()) + suffix
""",
    "m/ref.py": """\
import m.exp
def same(folder, **options):
    return m.exp.export(folder, **options)
def other(folder, **options):
    return "something else"
""",
    "m/derive.py": """\
def twice(folder):
    return b" ".join(f.read_bytes() * 2 for f in sorted(folder.iterdir()) if f.is_file())
""",
    "m/gen.py": """\
import m.helper
def make(config):
    return config["text"].encode() * config["times"]
""",
    "m/unrelated.py": "",
    "m/data.txt": "some data",
    "m/tiny/config.json": "{}",
    "m/tiny/model.safetensors": "weights",
    "m/config.json": '{"text": "s", "times": 3}',
    "m/large.json": '{"text": "L", "times": 40}',
}


_RESOLVES = {"export": "3rdparty/export.lock", "wheel": "3rdparty/wheel.lock"}


class Repository:
    """The tiny repository, in a checkout of its own.

    Attributes:
        caches: the folder of everything that checkouts may share.
        folder: the folder of the targets.
        source: the file that the pinned weights are fetched from.
        runner: runs the rules of the plugin.
    """

    def __init__(
        self,
        caches: Path,
        folder: str = "m",
        *,
        rules: Iterable[Rule | UnionRule | QueryRule] = (),
        target_types: Iterable[type[Target]] = (),
    ) -> None:
        self.caches = caches
        self.folder = folder
        self.source = caches / "pinned"
        self.runner = PythonRuleRunner(
            rules=[
                *register.rules(),
                *config_files.rules(),
                *core_target_types_rules(),
                *dependency_inference.rules(),
                *distdir.rules(),
                *local_dists.rules(),
                *package_goal.rules(),
                *source_files.rules(),
                *stripped_source_files.rules(),
                *target_types_rules.rules(),
                *test_goal.rules(),
                QueryRule(Addresses, [DependenciesRequest]),
                QueryRule(BuiltPackage, [OnnxModelFieldSet]),
                QueryRule(DigestContents, [Digest]),
                QueryRule(ExportedModel, [ExportRequest]),
                QueryRule(RunRequest, [OnnxModelFieldSet]),
                QueryRule(RunRequest, [RunWeightsFieldSet]),
                QueryRule(TestResult, [ClientRequest.Batch]),
                QueryRule(TestResult, [ParityRequest.Batch]),
                *rules,
            ],
            target_types=[
                *register.target_types(),
                PythonSourcesGeneratorTarget,
                FileTarget,
                *target_types,
            ],
            bootstrap_args=[
                f"--local-store-dir={caches / 'store'}",
                f"--named-caches-dir={caches / 'named'}",
            ],
        )

    def reset(self, salt: str) -> None:
        """Write the repository anew. The salt keeps results of other tests out of the caches."""
        self.use()
        shutil.rmtree(self.caches / "clients", ignore_errors=True)
        self.source.write_bytes(PINNED)
        pin = {"name": "w", "sha256": sha256(PINNED).hexdigest(), "size": len(PINNED)}
        pins = {"origin": f"file://{self.source}", "files": [pin]}
        salted = {"m/helper.py": f"# {salt}", "m/pins.json": json.dumps(pins)}
        self.write({**_FILES, **salted})
        self.runs()

    def use(self, *options: str, driver: str = "m.build", **environment: str) -> None:
        """Begin a new session with these options and environment variables."""
        self.configure(
            [
                f"--python-resolves={_RESOLVES}",
                "--python-default-resolve=export",
                "--python-repos-indexes=[]",
                "--python-pip-version=20.3.4-patched",  # pex carries it: there is no index
                f"--python-repos-find-links=['file://{self.caches}/wheels']",
                f"--onnx-export-driver={driver}",
                "--onnx-export-parity-driver=m.parity",
                "--onnx-export-weights-driver=m.provide",
                "--onnx-export-cases-driver=m.cases",
                "--onnx-export-clients-scripts=m",
                f"--onnx-export-clients-folder={self.caches}/clients",
                f"--onnx-export-by-reference-above={LARGE}",
                *options,
            ],
            **environment,
        )

    def configure(self, options: Sequence[str], **environment: str) -> None:
        """Begin a new session with these options, beside those that every test needs."""
        self.runner.set_options(
            [
                "--source-root-patterns=['/']",
                "--python-infer-use-rust-parser",
                "--python-enable-resolves",
                "--python-run-against-entire-lockfile",
                "--no-python-resolves-generate-lockfiles",
                *options,
            ],
            env=environment,
            env_inherit=set(INHERITED - environment.keys()),
        )

    def write(self, files: Mapping[str, str | bytes]) -> None:
        self.runner.write_files(dict(files))

    def replace(self, file: str, old: str, new: str) -> None:
        path = Path(self.runner.build_root, file)
        text = path.read_text()
        assert old in text
        self.write({file: text.replace(old, new)})

    def target(self, name: str) -> Target:
        return self.runner.get_target(Address(self.folder, target_name=name))

    def field_set(self, kind: type[FieldSet], name: str) -> Any:
        return kind.create(self.target(name))

    def export(self, name: str = "model") -> str:
        """Return the text of the artifact."""
        export = ExportRequest(self.field_set(OnnxModelFieldSet, name))
        model = self.runner.request(ExportedModel, [export])
        return self.contents(model.snapshot.digest)[model.onnx].decode()

    def refusal(self, name: str = "model") -> str:
        """Return the message of an export that must fail."""
        with pytest.raises(ExecutionError) as caught:
            self.export(name)
        error = next(iter(caught.value.wrapped_exceptions))
        assert isinstance(error, OnnxExportError)
        return str(error)

    def manifest(self, name: str = "model") -> Any:
        export = ExportRequest(self.field_set(OnnxModelFieldSet, name))
        model = self.runner.request(ExportedModel, [export])
        return json.loads(self.contents(model.snapshot.digest)[model.manifest])

    def package(self, name: str) -> BuiltPackage:
        return self.runner.request(BuiltPackage, [self.field_set(OnnxModelFieldSet, name)])

    def test(self, name: str) -> TestResult:
        elements = (self.field_set(ParityFieldSet, name),)
        batch = ParityRequest.Batch("", elements, partition_metadata=None)  # type: ignore[type-var]
        return self.runner.request(TestResult, [batch])

    def test_client(self, name: str) -> TestResult:
        elements = (self.field_set(ClientFieldSet, name),)
        batch = ClientRequest.Batch("", elements, partition_metadata=None)  # type: ignore[type-var]
        return self.runner.request(TestResult, [batch])

    def install_client(self, name: str) -> None:
        """Install something that has the interpreter of a client and nothing else."""
        lock = Path(self.runner.build_root, f"3rdparty/python/client-{name}.lock").read_bytes()
        folder = self.caches / "clients" / f"{name}-{sha256(lock).hexdigest()[:16]}" / "bin"
        folder.mkdir(parents=True)
        (folder / "python").symlink_to(sys.executable)

    def dependencies(self, name: str) -> set[str]:
        asked = DependenciesRequest(self.target(name).get(Dependencies))
        return {address.spec for address in self.runner.request(Addresses, [asked])}

    def contents(self, digest: Digest) -> dict[str, bytes]:
        return {f.path: f.content for f in self.runner.request(DigestContents, [digest])}

    @property
    def weights_cache(self) -> Path:
        return self.caches / "named" / "onnx_weights"

    def runs(self) -> list[str]:
        """Return what ran since the last call, each as ``action target``."""
        log = self.weights_cache / "log"
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return [line.replace(" m:", " ") for line in lines]


def write_wheel(folder: Path, version: str, files: Mapping[str, str]) -> None:
    """Write a wheel of the distribution ``tiny``."""
    folder.mkdir(exist_ok=True)
    info = f"tiny-{version}.dist-info"
    content = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    content[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*content, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"tiny-{version}-py3-none-any.whl", "w") as wheel:
        for name, text in content.items():
            wheel.writestr(name, text)
