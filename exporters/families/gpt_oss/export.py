"""The exporter of GPT-OSS."""

from __future__ import annotations

from typing import Literal

from exporters.errors import ExportError
from exporters.families.gpt_oss import qmoe
from exporters.families.gpt_oss.checkpoint import Dtype, Layout, Stack, bind, detect
from exporters.families.gpt_oss.forward import Interface
from exporters.model.exportable import Exportable
from exporters.model.extents import Extent, check_extent
from jax2onnx import InputSpec
from weights import Checkpoint

Variant = Literal["portable", "cpu", "cpu-fast"]

PAST, TOTAL = "past_sequence_length", "total_sequence_length"
"""The names of dimensions: positions in the cache, and these and the tokens together."""


def export(
    checkpoint: Checkpoint,
    *,
    cache: bool = False,
    position_ids: bool = False,
    logits: Literal["all", "last"] = "all",
    routing: bool = False,
    dtype: Dtype = "float32",
    batch: Extent = "batch_size",
    sequence: Extent = "sequence_length",
    stack: Stack = "equinox",
    variant: Variant = "portable",
) -> Exportable:
    """Return GPT-OSS from token ids to logits, for whole sequences or with a cache.

    Inputs, outputs and dimensions have the names that generating clients look for. The artifact
    takes ``input_ids``, int64 (batch_size, sequence_length), and ``attention_mask``, int64
    (batch_size, total_sequence_length), which is 0 where a position is padding, on either side, and
    1 elsewhere. It returns ``logits``, f32 (batch_size, sequence_length, vocabulary).

    With a cache it also takes ``past_key_values.N.key`` and ``.value`` for each layer N, of shape
    (batch_size, kv_heads, past_sequence_length, head_dim) and in the dtype of the computation; the
    past is 0 positions long in the first call. It then also returns ``present.N.key`` and
    ``.value``, which are the past of the next call. Feed a long prompt in pieces through the cache:
    the memory of attention grows with sequence_length * total_sequence_length.

    Args:
        checkpoint: the weights, in the published hub layout, the dense one, or ``original/``.
        cache: whether the model continues sequences with a cache of keys and values.
        position_ids: whether ``position_ids``, int64 (batch_size, sequence_length), are an input.
            Otherwise the positions that are not padding are counted.
        logits: ``"all"``, or ``"last"`` for those of the last position that is not padding alone.
        routing: whether the artifact also returns ``router.N.scores``, f32 (batch_size,
            sequence_length, experts), ``router.N.experts``, int32 (batch_size, sequence_length,
            experts_per_token), and ``router.N.shares``, f32 of that shape, for each layer N.
        dtype: the dtype of the computation: float32, float16 or bfloat16. Norms and softmaxes are
            f32 in any case.
        batch: the number of sequences, or a name that leaves it open.
        sequence: the number of tokens of each sequence, or a name that leaves it open.
        stack: the library of the JAX model, equinox or nnx. The artifact is the same.
        variant: ``"portable"`` has standard operators alone. ``"cpu"`` and ``"cpu-fast"`` have
            ONNX Runtime's QMoE and take weights that ``derived:int8`` made. The first one computes
            in f32, with the session's settings in the artifact's metadata. The second one rounds
            activations to 8 bits, which changes logits by 1 to 3 %.

    Raises:
        ExportError: an option does not fit, or the checkpoint is not one of GPT-OSS.
    """
    _check_variant(variant, detect(checkpoint), dtype)
    check_extent("batch", batch, taken=[PAST, TOTAL])
    check_extent("sequence", sequence, taken=[PAST, TOTAL, batch])
    interface = Interface(cache, position_ids, logits, routing)
    model, parameters = bind(checkpoint, interface, dtype, stack)
    config = model.config
    tokens = InputSpec((batch, sequence), "int64")
    inputs = {"input_ids": tokens, "attention_mask": tokens}
    parts = [f"{n}.{part}" for n in range(config.layers if cache else 0) for part in _PARTS]
    if cache:
        inputs["attention_mask"] = InputSpec((batch, TOTAL), "int64")
    if position_ids:
        inputs["position_ids"] = tokens
    routed = [f"router.{n}.{part}" for n in range(config.layers * routing) for part in _ROUTED]
    past = InputSpec((batch, config.kv_heads, PAST, config.head_dim), model.dtype)
    inputs |= {f"past_key_values.{part}": past for part in parts}
    return Exportable(
        model=model,
        inputs=list(inputs.values()),
        parameters=parameters,
        input_names=list(inputs),
        output_names=["logits", *(f"present.{part}" for part in parts), *routed],
        session=qmoe.SESSION if variant == "cpu" else {},
        conversion={"constraints": [f"{TOTAL} == {PAST} + {sequence}"]} if cache else {},
    )


def _check_variant(variant: Variant, layout: Layout, dtype: Dtype) -> None:
    """Check that the weights and the dtype are those of a variant.

    Raises:
        ExportError: they are not.
    """
    if variant == "portable":
        if layout == "int8":
            raise ExportError(
                "variant is 'portable', and these weights were derived for 'cpu' and 'cpu-fast': "
                "choose one of these, or give the weights that they were derived from."
            )
        return
    if layout != "int8":
        raise ExportError(
            f"variant is {variant!r}, which takes derived weights, and these have the layout "
            f"{layout!r}: derive them with exporters.families.gpt_oss.derived:int8."
        )
    if dtype != "float32":
        raise ExportError(f"variant is {variant!r}, which computes in float32, not in {dtype}.")


_PARTS = ("key", "value")
_ROUTED = ("scores", "experts", "shares")
