"""Models with random weights that only the benchmarks have, for each a module with `build`."""
