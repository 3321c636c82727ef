"""Looking for a CUDA device on this machine."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pants.engine.process import Process, ProcessCacheScope
from pants.util.frozendict import FrozenDict
from pants.util.logging import LogLevel

from onnx_export import compat
from onnx_export.compat import Rule, collect_rules, rule

# The probe asks the GPU's driver. So a machine without a GPU need not install an environment with a
# CUDA build to find that out.
_PROBE = """\
import ctypes

try:
    cuda = ctypes.CDLL("libcuda.so.1")
except OSError as error:
    raise SystemExit(f"this machine has no NVIDIA driver ({error})")
count, version = ctypes.c_int(), ctypes.c_int()
name = ctypes.create_string_buffer(256)
if cuda.cuInit(0) or cuda.cuDeviceGetCount(ctypes.byref(count)) or not count.value:
    raise SystemExit("the NVIDIA driver finds no GPU")
if cuda.cuDeviceGetName(name, 256, 0) or cuda.cuDriverGetVersion(ctypes.byref(version)):
    raise SystemExit("the NVIDIA driver does not answer")
print(f"{name.value.decode()}, CUDA {version.value // 1000}.{version.value % 1000 // 10}")
"""


@dataclass(frozen=True)
class CudaRequest:
    python: str


@dataclass(frozen=True)
class Cuda:
    """The GPU of this machine.

    The results of CUDA tests depend on ``device`` and ``libraries``, so both are part of their
    cache keys. Other tests do not have them in theirs.

    Attributes:
        device: the name of the GPU and the version of CUDA, or None if there is no GPU.
        reason: the reason why there is no GPU.
        libraries: the variable that says where CUDA and cuDNN lie, if the user has set it.
    """

    device: str | None
    reason: str
    libraries: FrozenDict[str, str]


@rule(desc="Look for a CUDA device", level=LogLevel.DEBUG)
async def find_cuda(request: CudaRequest) -> Cuda:
    libraries = FrozenDict(await compat.environment_variables(["LD_LIBRARY_PATH"]))
    result = await compat.execute(
        Process(
            (request.python, "-IS", "-c", _PROBE),
            env=libraries,
            description="Look for a CUDA device",
            level=LogLevel.DEBUG,
            cache_scope=ProcessCacheScope.PER_SESSION,
        )
    )
    if result.exit_code != 0:
        lines = result.stderr.decode(errors="replace").strip().splitlines()
        reason = lines[-1] if lines else f"the probe exited with {result.exit_code}"
        return Cuda(None, reason, libraries)
    return Cuda(result.stdout.decode().strip(), "", libraries)


def rules() -> Iterable[Rule]:
    return collect_rules()
