"""Model families, and what a build does with them: export, verify, provide weights."""
