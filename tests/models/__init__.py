"""Models of published architectures in their usual style, with random weights.

They import jax, flax and equinox but no converter. Each has a ``Config``, so a test can make a
narrow model.
"""
