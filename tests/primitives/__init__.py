"""Compare converted primitives with JAX's own test cases for them."""
