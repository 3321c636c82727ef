"""Export the DINOv3 of transformers with ``torch.onnx.export`` (dynamo) and given weights.

Arguments: CHECKPOINT OUTPUT. The job needs torch and transformers. It prints the CPU seconds of the
export, without building the model.
"""

from __future__ import annotations

import json
import sys
import time

import torch  # noqa: TID251  # This runs in an environment of its own.
from transformers import DINOv3ViTModel  # noqa: TID251


class Tuple(torch.nn.Module):
    """Return a tuple from a model of transformers, as the export requires."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the tokens, and the pooled first token."""
        result = self.model(pixels)
        return result.last_hidden_state, result.pooler_output


def main(folder: str, output: str) -> None:
    """Export the model with a symbolic batch at opset 23."""
    model = DINOv3ViTModel.from_pretrained(folder, attn_implementation="eager").eval()
    size = model.config.image_size
    pixels = torch.zeros(2, 3, size, size)
    start = time.process_time()
    program = torch.onnx.export(
        Tuple(model),
        (pixels,),
        dynamo=True,
        verbose=False,
        input_names=["pixel_values"],
        output_names=["last_hidden_state", "pooler_output"],
        dynamic_shapes=({0: torch.export.Dim("B")},),
        opset_version=23,
    )
    program.save(output, external_data=True)
    print(json.dumps({"cpu": time.process_time() - start}))


main(*sys.argv[1:])
