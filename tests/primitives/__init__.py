"""JAX's own definition of its primitives, held against what is converted."""
