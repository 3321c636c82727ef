"""The errors of this plugin."""


class OnnxExportError(Exception):
    """A mistake of the user. The message says what is wrong, where, and what to do about it."""


class UnpinnedWeightsError(OnnxExportError):
    """Weights whose digest file does not exist yet. Goals over many targets leave them out."""
