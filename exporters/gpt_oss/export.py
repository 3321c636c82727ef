"""What `exporters:gpt_oss` exports."""

from __future__ import annotations

from exporters.exportable import Exportable
from exporters.gpt_oss.checkpoint import bind
from jax2onnx import InputSpec
from weights import Checkpoint


def export(
    checkpoint: Checkpoint,
    *,
    dtype: str = "float32",
    batch: str | int = "B",
    sequence: str | int = "T",
) -> Exportable:
    """GPT-OSS from token ids to logits, without a cache of keys and values.

    The artifact takes `input_ids`, int64 (batch, sequence), and gives `logits`, f32 (batch,
    sequence, vocabulary).

    Args:
        checkpoint: in the published hub layout, the dense one, or that of `original/`.
        dtype: what is computed in: float32, float16 or bfloat16. Norms and softmaxes stay f32.
        batch: extent of that dimension, or a name that leaves it open.
        sequence: likewise.
    """
    model, parameters = bind(checkpoint, dtype)
    return Exportable(
        model=model,
        inputs=[InputSpec((batch, sequence), "int64")],
        parameters=parameters,
        input_names=["input_ids"],
        output_names=["logits"],
    )
