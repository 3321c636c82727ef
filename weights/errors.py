"""The exception of this package."""

from weights.rendering import rendered


class WeightsError(Exception):
    """A fault of a checkpoint, a pin, a store or a download that the user can correct.

    The message says what is wrong, in which file or tensor, and what to do about it. Callers print
    it as it stands, without a traceback.
    """

    def __init__(self, message: str) -> None:
        super().__init__(rendered(message))
