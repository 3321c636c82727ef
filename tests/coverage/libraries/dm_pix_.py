"""Examples of ``dm_pix``, on single images or batches, with channels last."""

from __future__ import annotations

import dm_pix
import jax

from tests.coverage.example import Example, each, f, key, of

_IMAGE = f(2, 6, 5, 3, low=0, high=1)
_ONE = f(8, 6, 3, low=0, high=1)
_LOOSE = (1e-4, 1e-10)
_RANDOM = {
    "random_brightness": (0.3,),
    "random_contrast": (0.5, 1.5),
    "random_crop": ((4, 4, 3),),
    "random_flip_left_right": (),
    "random_flip_up_down": (),
    "random_gamma": (0.5, 1.5),
    "random_hue": (0.2,),
    "random_saturation": (0.5, 1.5),
}

EXAMPLES: list[Example] = [
    *each(dm_pix, "depth_to_space", f(2, 3, 4, 8), variants=({"block_size": 2},)),
    *each(dm_pix, "space_to_depth", f(2, 6, 4, 3), variants=({"block_size": 2},)),
    *each(dm_pix, "depth_to_space", f(2, 3, 4, 9), variants=({"block_size": 3},)),
    *of("adjust_brightness", lambda x: dm_pix.adjust_brightness(x, 0.2), _IMAGE),
    *[
        e
        for n in ("contrast", "gamma", "hue", "saturation")
        for e in of(
            f"adjust_{n}",
            lambda x, n=n: getattr(dm_pix, f"adjust_{n}")(x, 0.6),
            _IMAGE,
            tolerance=_LOOSE,
        )
    ],
    *each(
        dm_pix,
        "flip_left_right flip_up_down hsl_to_rgb hsv_to_rgb rgb_to_grayscale rgb_to_hsl rgb_to_hsv",
        _IMAGE,
        tolerance=_LOOSE,
    ),
    *each(dm_pix, "mae mse psnr rmse simse", _IMAGE, _IMAGE, tolerance=_LOOSE),
    *each(
        dm_pix,
        "ssim",
        f(2, 12, 12, 3, low=0, high=1),
        f(2, 12, 12, 3, low=0, high=1),
        tolerance=(1e-3, 1e-9),
    ),
    *of(
        "affine_transform",
        dm_pix.affine_transform,
        _ONE,
        f(3, 3, fixed=True),
        tolerance=_LOOSE,
        batch="mapped",
    ),
    *each(dm_pix, "center_crop", _IMAGE, variants=({"height": 4, "width": 3},)),
    *each(
        dm_pix,
        "resize_with_crop_or_pad",
        _IMAGE,
        variants=({"target_height": 4, "target_width": 9},),
    ),
    *each(dm_pix, "pad_to_size", _IMAGE, variants=({"target_height": 9, "target_width": 8},)),
    *of(
        "elastic_deformation",
        lambda k, x: dm_pix.elastic_deformation(jax.random.wrap_key_data(k), x, 2.0, 1.5),
        key(),
        _ONE,
        tolerance=_LOOSE,
        batch="mapped",
    ),
    *of(
        "extract_patches",
        lambda x: dm_pix.extract_patches(x, (1, 3, 3, 1), (1, 2, 2, 1), (1, 1, 1, 1)),
        _IMAGE,
    ),
    *of(
        "flat_nd_linear_interpolate",
        dm_pix.flat_nd_linear_interpolate,
        f(6, 5, fixed=True),
        f(2, 7, low=0, high=4, fixed=True),
        batch="mapped",
    ),
    *of(
        "flat_nd_linear_interpolate_constant",
        lambda v, c: dm_pix.flat_nd_linear_interpolate_constant(v, c, cval=0.5),
        f(6, 5, fixed=True),
        f(2, 7, low=-1, high=6, fixed=True),
        batch="mapped",
    ),
    *of("gaussian_blur", lambda x: dm_pix.gaussian_blur(x, 1.0, 3.0), _IMAGE, tolerance=_LOOSE),
    *each(dm_pix, "rot90", _IMAGE, variants=({}, {"k": 2})),
    *of("rotate", lambda x: dm_pix.rotate(x, 0.3), _ONE, tolerance=_LOOSE, batch="mapped"),
    *of("solarize", lambda x: dm_pix.solarize(x, 0.5), _IMAGE),
    *[
        e
        for n, p in _RANDOM.items()
        for e in of(
            n,
            lambda k, x, n=n, p=p: getattr(dm_pix, n)(jax.random.wrap_key_data(k), x, *p),
            key(),
            _ONE,
            tolerance=_LOOSE,
            batch="mapped",
        )
    ],
]
