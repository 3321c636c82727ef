"""Checkpoints of safetensors files: pinned by digest, fetched, verified, and read in place.

Only safetensors files are read, and never a pickle.
"""

from weights.errors import WeightsError
from weights.files.checkpoint import Checkpoint
from weights.files.header import TensorInfo
from weights.files.pins import Pin, Pins
from weights.progress import Progress
from weights.synthetic import Integers, SyntheticTensor, Uniform, Values, write_checkpoint

__all__ = [
    "Checkpoint",
    "Integers",
    "Pin",
    "Pins",
    "Progress",
    "SyntheticTensor",
    "TensorInfo",
    "Uniform",
    "Values",
    "WeightsError",
    "write_checkpoint",
]
