"""What `exporters:gpt_oss` exports."""

from __future__ import annotations

from exporters.families.gpt_oss.checkpoint import bind
from exporters.families.gpt_oss.model import CachedGptOss, GptOss
from exporters.model.exportable import Exportable
from exporters.model.extents import Extent, check_extent
from jax2onnx import InputSpec
from weights import Checkpoint

PAST = "P"
"""Name of the dimension of positions that a cache holds."""


def export(
    checkpoint: Checkpoint,
    *,
    cache: bool = False,
    dtype: str = "float32",
    batch: Extent = "B",
    sequence: Extent = "T",
) -> Exportable:
    """GPT-OSS from token ids to logits, of whole sequences or with a cache of keys and values.

    The artifact takes `input_ids`, int64 (batch, sequence), and gives `logits`, f32 (batch,
    sequence, vocabulary). With a cache it also takes `past_key_values.N.key` and `.value` of each
    layer N, (batch, kv_heads, P, head_dim) in the dtype that is computed in, where P is 0 at the
    beginning, and gives `present.N.key` and `.value`, which are the past of the next call. A long
    prompt is best fed in pieces through the cache: attention's memory grows with T * (P + T).

    Args:
        checkpoint: in the published hub layout, the dense one, or that of `original/`.
        cache: whether sequences are continued.
        dtype: what is computed in: float32, float16 or bfloat16. Norms and softmaxes stay f32.
        batch: extent of that dimension, or a name that leaves it open.
        sequence: likewise.

    Raises:
        ExportError: an option does not fit, or the checkpoint is none of GPT-OSS.
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
