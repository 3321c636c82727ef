"""Models with random weights for benchmarks alone. Each module has a ``build()``."""
