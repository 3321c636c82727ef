"""``jax.scipy.signal``."""

from __future__ import annotations

from jax.scipy import signal

from tests.coverage.example import Example, each, f, of

_MODES = tuple({"mode": m} for m in ("full", "same", "valid"))
_LOOSE = (1e-4, 1e-9)

EXAMPLES: list[Example] = [
    *each(
        signal,
        "convolve correlate fftconvolve",
        f(9),
        f(3, fixed=True),
        variants=_MODES,
        batch="mapped",
        tolerance=_LOOSE,
    ),
    *each(
        signal,
        "convolve2d correlate2d",
        f(6, 5),
        f(3, 2, fixed=True),
        variants=_MODES,
        batch="mapped",
        tolerance=_LOOSE,
    ),
    *each(signal, "detrend", f(3, 9), variants=({}, {"type": "constant"}), tolerance=_LOOSE),
    *of("stft", lambda x: signal.stft(x, nperseg=8), f(2, 32), tolerance=_LOOSE),
    *of(
        "istft",
        lambda x: signal.istft(signal.stft(x, nperseg=8)[2], nperseg=8),
        f(2, 32),
        tolerance=_LOOSE,
    ),
    *of("welch", lambda x: signal.welch(x, nperseg=8), f(2, 32), tolerance=_LOOSE),
    *of("csd", lambda x, y: signal.csd(x, y, nperseg=8), f(2, 32), f(2, 32), tolerance=_LOOSE),
]
