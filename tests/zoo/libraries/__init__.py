"""The models of each library: every module has a list ``MODELS``."""
