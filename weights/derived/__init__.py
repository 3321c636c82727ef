"""Derived checkpoints: a deterministic function of the tensors of another checkpoint."""

from weights.derived.checkpoint import DerivedTensor, provenance, write_derived

__all__ = ["DerivedTensor", "provenance", "write_derived"]
