"""Models of third-party JAX libraries, converted and compared with JAX."""
