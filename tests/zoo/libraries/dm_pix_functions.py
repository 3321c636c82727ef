"""Functions of PIX, for images."""

from __future__ import annotations

from typing import Any

import dm_pix as pix
import jax
from jax import Array

from tests.coverage.example import f
from tests.zoo.model import of

IMAGE = f(2, 16, 16, 3, low=0.0, high=1.0)


def _augmented(x: Array) -> Any:
    """Change the colours of an image, as before training, by fixed amounts."""
    x = pix.adjust_hue(pix.adjust_saturation(pix.adjust_contrast(x, 1.2), 0.8), 0.1)
    return pix.adjust_gamma(pix.adjust_brightness(x, 0.05).clip(1e-3, 1), 0.9)


def _turned(x: Array) -> Any:
    return pix.flip_left_right(pix.rot90(pix.center_crop(x, 12, 12)))


MODELS = [
    of("changes of colours", _augmented, IMAGE, batch=True),
    of("flips and crops", _turned, IMAGE, batch=True),
    of("gaussian blur", lambda x: pix.gaussian_blur(x, 1.0, 5.0), IMAGE, batch=True),
    of("gray scale", pix.rgb_to_grayscale, IMAGE, batch=True),
    of("hsv and back", lambda x: pix.hsv_to_rgb(pix.rgb_to_hsv(x)), IMAGE, batch=True),
    of("space to depth", lambda x: pix.space_to_depth(x, 4), IMAGE, batch=True),
    of("structural similarity", pix.ssim, IMAGE, IMAGE, batch=True),
    of("signal to noise", pix.psnr, IMAGE, IMAGE, batch=True),
    of(
        "random crop of a fixed key",
        lambda x: pix.random_crop(jax.random.key(0), x, (2, 8, 8, 3)),
        IMAGE,
    ),
]
