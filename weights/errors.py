"""The exception of this package."""


class WeightsError(Exception):
    """A fault of a checkpoint, a pin, a store or a download that the user can correct.

    The message says what is wrong, in which file or tensor, and what to do about it. Callers print
    it as it stands, without a traceback.
    """
