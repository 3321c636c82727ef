"""The one exception of this package."""


class WeightsError(Exception):
    """A mistake in a checkpoint, pin, store or download that the user can mend.

    The message is complete: what is wrong, in which file or tensor, and what to do about it.
    Callers print it as it is, without a traceback.
    """
