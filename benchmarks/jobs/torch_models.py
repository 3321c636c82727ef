"""Export the PyTorch counterpart of a model with ``torch.onnx.export`` (dynamo).

Arguments: MODEL OUTPUT, where MODEL is one of ``benchmarks.architectures``. The job needs torch and
transformers. The weights are random. It prints the CPU seconds of the export, without building the
model.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import torch  # noqa: TID251  # This runs in an environment of its own.
import transformers  # noqa: TID251


class First(torch.nn.Module):
    """Call a model of transformers through ``pick``, which selects a tensor of the result."""

    def __init__(self, model: torch.nn.Module, pick: Callable[..., Any]) -> None:
        super().__init__()
        self.model = model
        self.pick = pick

    def forward(self, *inputs: torch.Tensor) -> Any:
        """Return the tensor that ``pick`` selects."""
        return self.pick(self.model, *inputs)


def resnet50() -> tuple[torch.nn.Module, tuple[torch.Tensor, ...]]:
    """Return ResNet-50, which the default configuration describes, and NCHW example images."""
    model = transformers.ResNetForImageClassification(transformers.ResNetConfig(num_labels=1000))
    return First(model, lambda m, x: m(x).logits), (torch.zeros(2, 3, 224, 224),)


def gpt2() -> tuple[torch.nn.Module, tuple[torch.Tensor, ...]]:
    """Return GPT-2 small with its language-model head, and example tokens."""
    config = transformers.GPT2Config(use_cache=False, attn_implementation="eager")
    model = transformers.GPT2LMHeadModel(config)
    return First(model, lambda m, ids: m(ids).logits), (_integers(),)


def lstm() -> tuple[torch.nn.Module, tuple[torch.Tensor, ...]]:
    """Return one layer that takes the batch first, and example sequences."""
    return First(torch.nn.LSTM(128, 256, batch_first=True), lambda m, x: m(x)[0]), (
        torch.zeros(2, 64, 128),
    )


def minilm() -> tuple[torch.nn.Module, tuple[torch.Tensor, ...]]:
    """Return BERT followed by mean pooling and scaling to unit length, and example inputs."""
    config = transformers.BertConfig(
        hidden_size=384,
        intermediate_size=1536,
        num_hidden_layers=6,
        num_attention_heads=12,
        attn_implementation="eager",
    )

    def sentence(model: Any, ids: Any, mask: Any, types: Any) -> Any:
        tokens = model(ids, mask, types).last_hidden_state
        weight = mask[:, :, None].to(tokens.dtype)
        mean = (tokens * weight).sum(1) / weight.sum(1)
        return torch.nn.functional.normalize(mean), tokens

    model = transformers.BertModel(config, add_pooling_layer=False)
    return First(model, sentence), (_integers(), _integers(), _integers())


def _integers() -> torch.Tensor:
    return torch.ones(2, 128, dtype=torch.int64)


def main(name: str, output: str) -> None:
    """Export the model with a symbolic batch at opset 23."""
    torch.manual_seed(0)
    model, inputs = globals()[name]()
    model.eval()
    batch = torch.export.Dim("B")
    start = time.process_time()
    program = torch.onnx.export(
        model,
        inputs,
        dynamo=True,
        verbose=False,
        dynamic_shapes=(tuple({0: batch} for _ in inputs),),
        opset_version=23,
    )
    program.save(output, external_data=True)
    print(json.dumps({"cpu": time.process_time() - start}))


main(*sys.argv[1:])
