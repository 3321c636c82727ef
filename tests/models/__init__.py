"""Models of published architectures as people write them, with random weights.

They import jax, flax and equinox but no converter. Each has a `Config` of which a test can take a
narrow one.
"""
