"""One module a figure; each has `run(settings)`, which measures and prints."""
