"""Asks ONNX Runtime what it can run, and writes the table that `jax2onnx.legalise` reads."""
