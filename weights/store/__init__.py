"""A store of weights on this machine, by digest, and what is laid out from it."""

from weights.store.content import Store

__all__ = ["Store"]
