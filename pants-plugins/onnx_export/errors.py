"""The error of this plugin."""


class OnnxExportError(Exception):
    """A mistake of the user. The message says what is wrong, where, and what to do about it."""
