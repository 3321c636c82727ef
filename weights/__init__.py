"""Checkpoints: safetensors that are pinned by digest, found, verified, and read in place.

Only safetensors are ever read; a pickle never is.
"""

from weights.checkpoint import Checkpoint
from weights.errors import WeightsError
from weights.header import TensorInfo

__all__ = ["Checkpoint", "TensorInfo", "WeightsError"]
