"""Run the converter's tests on every supported CPython and release of JAX."""
