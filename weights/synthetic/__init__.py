"""Synthetic checkpoints: random numbers in a published layout, to build without a download."""

from weights.synthetic.checkpoint import write_checkpoint
from weights.synthetic.tensors import (
    Init,
    Integers,
    SyntheticTensor,
    Uniform,
    Values,
    plausible,
)

__all__ = [
    "Init",
    "Integers",
    "SyntheticTensor",
    "Uniform",
    "Values",
    "plausible",
    "write_checkpoint",
]
