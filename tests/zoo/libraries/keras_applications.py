"""Networks of ``keras.applications``, on the JAX backend."""

from __future__ import annotations

from typing import Any

import keras

from tests.coverage.example import f
from tests.zoo.model import Model, made


def _application(name: str, size: int = 32, **options: Any) -> Model:
    """Return a network of ``keras.applications`` with random weights, for small images."""

    def make() -> Any:
        keras.utils.set_random_seed(0)
        network = getattr(keras.applications, name)
        return network(weights=None, input_shape=(size, size, 3), classes=10, **options)

    return made(name, make, f(2, size, size, 3, low=-1.0, high=1.0), batch=True)


MODELS = [
    _application("MobileNet"),
    _application("MobileNetV2"),
    _application("MobileNetV3Small"),
    _application("EfficientNetB0"),
    _application("EfficientNetV2B0"),
    _application("NASNetMobile"),
    _application("ResNet50V2"),
    _application("DenseNet121"),
    _application("ConvNeXtTiny"),
    _application("Xception", 71),
    _application("VGG16"),
]
