"""``jax.numpy.fft``."""

from __future__ import annotations

from jax.numpy import fft

from tests.coverage.example import Example, Variants, c, each, f, of

_NORMS: Variants = ({}, {"norm": "ortho"}, {"norm": "forward"})

EXAMPLES: list[Example] = [
    *each(fft, "fft ifft", c(3, 6), variants=(*_NORMS, {"n": 8}, {"n": 5}, {"axis": 0})),
    *each(fft, "fft ifft fft2 ifft2 fftn ifftn", f(3, 6)),
    *each(
        fft, "fft2 ifft2 fftn ifftn", c(2, 3, 6), variants=(*_NORMS, {"s": (4, 4), "axes": (1, 2)})
    ),
    *each(fft, "rfft ihfft", f(3, 6), variants=(*_NORMS, {"n": 8}, {"n": 5}, {"axis": 0})),
    *each(fft, "rfft2 rfftn", f(2, 3, 7)),
    *each(fft, "rfft2 rfftn", f(2, 3, 6), variants=({"norm": "ortho"}, {"axes": (2, 1)})),
    *each(fft, "irfft hfft", c(3, 4), variants=(*_NORMS, {"n": 7}, {"axis": 0})),
    *each(fft, "irfft2 irfftn", c(2, 3, 4), variants=(*_NORMS, {"axes": (1, 2)})),
    *each(fft, "fftshift ifftshift", f(3, 5), variants=({}, {"axes": 1})),
    *each(fft, "fftfreq rfftfreq", variants=({"n": 7}, {"n": 8, "d": 0.5})),
    *of(
        "fftfreq",
        lambda d: fft.fftfreq(7, d),
        f(low=1, high=2),
        variant="by an input",
        batch="mapped",
    ),
    *of(
        "rfftfreq",
        lambda d: fft.rfftfreq(7, d),
        f(low=1, high=2),
        variant="by an input",
        batch="mapped",
    ),
]
