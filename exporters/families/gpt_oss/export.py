"""The exporter of GPT-OSS."""

from __future__ import annotations

from exporters.families.gpt_oss.checkpoint import bind
from exporters.families.gpt_oss.model import CachedGptOss, GptOss
from exporters.model.exportable import Exportable
from exporters.model.extents import Extent, check_extent
from jax2onnx import InputSpec
from weights import Checkpoint

PAST = "P"
"""The name of the dimension of positions in the cache."""


def export(
    checkpoint: Checkpoint,
    *,
    cache: bool = False,
    dtype: str = "float32",
    batch: Extent = "B",
    sequence: Extent = "T",
) -> Exportable:
    """Return GPT-OSS from token ids to logits, for whole sequences or with a cache.

    The artifact takes ``input_ids``, int64 (batch, sequence), and returns ``logits``, f32 (batch,
    sequence, vocabulary). With a cache it also takes ``past_key_values.N.key`` and ``.value`` for
    each layer N, of shape (batch, kv_heads, P, head_dim) and in the dtype of the computation, where
    P is 0 in the first call. It then also returns ``present.N.key`` and ``.value``, which are the
    past of the next call. Feed a long prompt in pieces through the cache: the memory of attention
    grows with T * (P + T).

    Args:
        checkpoint: the weights, in the published hub layout, the dense one, or ``original/``.
        cache: whether the model continues sequences with a cache of keys and values.
        dtype: the dtype of the computation: float32, float16 or bfloat16. Norms and softmaxes are
            f32 in any case.
        batch: the number of sequences, or a name that leaves it open.
        sequence: the number of tokens of each sequence, or a name that leaves it open.

    Raises:
        ExportError: an option does not fit, or the checkpoint is not one of GPT-OSS.
    """
    check_extent("batch", batch, taken=[PAST])
    check_extent("sequence", sequence, taken=[PAST, batch])
    kind = CachedGptOss if cache else GptOss
    model, parameters = bind(checkpoint, kind, dtype)
    config = model.config
    parts = [f"{n}.{part}" for n in range(config.layers if cache else 0) for part in _PARTS]
    past = InputSpec((batch, config.kv_heads, PAST, config.head_dim), model.dtype)
    return Exportable(
        model=model,
        inputs=[InputSpec((batch, sequence), "int64"), *(past for _ in parts)],
        parameters=parameters,
        input_names=["input_ids", *(f"past_key_values.{part}" for part in parts)],
        output_names=["logits", *(f"present.{part}" for part in parts)],
    )


_PARTS = ("key", "value")
