"""Models of published architectures with random weights, for each a module with a function `build`.

They import jax, flax and equinox but neither converter, so that both can be given them.
"""
