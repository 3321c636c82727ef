"""Probe ONNX Runtime for the kernels it has, and write the table for ``jax2onnx.legalise``."""
