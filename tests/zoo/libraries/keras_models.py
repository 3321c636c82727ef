"""Models of Keras, on its JAX backend."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import keras
from keras import layers

from tests.coverage.example import Arg, f, i
from tests.zoo.model import Model, made


def _sequence(name: str, inputs: Arg, *stack: Callable[[], Any], dtype: str = "float32") -> Model:
    """Return a ``keras.Sequential`` of layers that are made when it is."""

    def make() -> Any:
        keras.utils.set_random_seed(0)
        start = keras.Input(inputs.shape[1:], dtype=dtype)
        return keras.Sequential([start, *(layer() for layer in stack)])

    return made(name, make, inputs, batch=True)


def _perceptron() -> Any:
    keras.utils.set_random_seed(0)
    stack = [
        layers.Dense(16, activation="relu", name="hidden"),
        layers.BatchNormalization(name="norm"),
        layers.Dense(3, name="out"),
    ]
    return keras.Sequential([keras.Input((8,)), *stack])


def _called() -> Callable[..., Any]:
    model = _perceptron()
    return lambda x: model(2 * x)


def _stateless() -> Callable[..., Any]:
    model = _perceptron()
    held = [v.value for v in model.trainable_variables]
    kept = [v.value for v in model.non_trainable_variables]
    return lambda x: model.stateless_call(held, kept, x, training=False)[0]


def _bound_variables() -> Callable[..., Any]:
    model = _perceptron()

    def call(variables: dict[str, Any], x: Any) -> Any:
        trainable = [variables[v.path] for v in model.trainable_variables]
        others = [variables[v.path] for v in model.non_trainable_variables]
        return model.stateless_call(trainable, others, x, training=False)[0]

    return functools.partial(call, {v.path: v.value for v in model.variables})


def _transformer() -> Any:
    """Return an encoder over tokens, in which zeros are padding."""
    keras.utils.set_random_seed(0)
    tokens = keras.Input((6,), dtype="int32")
    x = layers.Embedding(20, 16, mask_zero=True)(tokens)
    y = layers.MultiHeadAttention(4, 4)(x, x)
    x = layers.LayerNormalization()(x + y)
    y = layers.Dense(16)(layers.Dense(64, activation="gelu")(x))
    x = layers.LayerNormalization()(x + y)
    return keras.Model(tokens, layers.Dense(2)(layers.GlobalAveragePooling1D()(x)))


def _unet() -> Any:
    keras.utils.set_random_seed(0)
    image = keras.Input((16, 16, 3))
    down = layers.Conv2D(8, 3, padding="same", activation="relu")(image)
    low = layers.Conv2D(16, 3, padding="same", activation="relu")(layers.MaxPooling2D()(down))
    up = layers.Concatenate()([layers.UpSampling2D(interpolation="bilinear")(low), down])
    return keras.Model(image, layers.Conv2DTranspose(2, 3, padding="same")(up))


def _two_inputs() -> Any:
    keras.utils.set_random_seed(0)
    first, second = keras.Input((4,)), keras.Input((5, 3))
    x = layers.Concatenate()([layers.Dense(8)(first), layers.LSTM(8)(second)])
    return keras.Model([first, second], layers.Dense(1, activation="sigmoid")(x))


def _called_with_a_list() -> Callable[..., Any]:
    model = _two_inputs()
    return lambda x, y: model([x, y])


SEQUENCE = f(2, 7, 5)
IMAGE = f(2, 12, 12, 4)

MODELS = [
    made("MLP, as a model", _perceptron, f(2, 8), batch=True),
    made("MLP, called in a function", _called, f(2, 8)),
    made("MLP, its bound call", lambda: _perceptron().call, f(2, 8), batch=True),
    made("MLP, stateless_call", _stateless, f(2, 8), batch=True),
    made("MLP, a dictionary of variables", _bound_variables, f(2, 8), batch=True),
    made("transformer with padding", _transformer, i(2, 6, high=20), batch=True),
    made("U-Net", _unet, f(2, 16, 16, 3), batch=True),
    made("two inputs", _called_with_a_list, f(2, 4), f(2, 5, 3), batch=True),
    _sequence("GRU", SEQUENCE, lambda: layers.GRU(6, return_sequences=True)),
    _sequence("bidirectional LSTM", SEQUENCE, lambda: layers.Bidirectional(layers.LSTM(4))),
    _sequence("ConvLSTM1D", f(2, 4, 6, 3), lambda: layers.ConvLSTM1D(4, 3, padding="same")),
    _sequence(
        "temporal convolutions",
        SEQUENCE,
        lambda: layers.Conv1D(8, 3, dilation_rate=2, padding="causal"),
        lambda: layers.GroupNormalization(4),
        layers.GlobalMaxPooling1D,
    ),
    _sequence(
        "separable convolutions",
        IMAGE,
        lambda: layers.SeparableConv2D(8, 3, strides=2, padding="same"),
        lambda: layers.PReLU(shared_axes=[1, 2]),
        lambda: layers.AveragePooling2D(2),
        layers.UnitNormalization,
    ),
    _sequence(
        "preprocessing",
        IMAGE,
        lambda: layers.Rescaling(1 / 255, offset=-0.5),
        lambda: layers.Resizing(8, 10),
        lambda: layers.CenterCrop(6, 6),
        lambda: layers.ZeroPadding2D(1),
    ),
    _sequence("EinsumDense", f(2, 5, 6), lambda: layers.EinsumDense("abc,cde->abde", (None, 2, 3))),
]
