"""Model families, and what a build does with them: export, verify, provide weights."""

__version__ = "0.1.0"
