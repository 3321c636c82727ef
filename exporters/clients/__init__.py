"""Scripts that run clients of artifacts, each in an environment of its own."""
