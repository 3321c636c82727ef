"""MODEL OUTPUT: torch.onnx.export (dynamo) of one of `benchmarks.architectures` in PyTorch.

Runs where torch and transformers are installed; weights are random. Prints the CPU seconds of the
export, once the model is built.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import torch  # noqa: TID251  # a yardstick, in an environment of its own
import transformers  # noqa: TID251


class First(torch.nn.Module):
    """A model of transformers that returns what ``pick`` takes of its result."""

    def __init__(self, model: torch.nn.Module, pick: Callable[..., Any]) -> None:
        super().__init__()
        self.model = model
        self.pick = pick

    def forward(self, *inputs: torch.Tensor) -> Any:
        """The picked tensors."""
        return self.pick(self.model, *inputs)


def resnet50() -> tuple[torch.nn.Module, tuple[torch.Tensor, ...]]:
    """The configuration's defaults are ResNet-50's; images are NCHW."""
    model = transformers.ResNetForImageClassification(transformers.ResNetConfig(num_labels=1000))
    return First(model, lambda m, x: m(x).logits), (torch.zeros(2, 3, 224, 224),)


def gpt2() -> tuple[torch.nn.Module, tuple[torch.Tensor, ...]]:
    """GPT-2 small with its head."""
    config = transformers.GPT2Config(use_cache=False, attn_implementation="eager")
    model = transformers.GPT2LMHeadModel(config)
    return First(model, lambda m, ids: m(ids).logits), (_integers(),)


def lstm() -> tuple[torch.nn.Module, tuple[torch.Tensor, ...]]:
    """One layer, batch first."""
    return First(torch.nn.LSTM(128, 256, batch_first=True), lambda m, x: m(x)[0]), (
        torch.zeros(2, 64, 128),
    )


def minilm() -> tuple[torch.nn.Module, tuple[torch.Tensor, ...]]:
    """BERT, the mean of its tokens, unit length."""
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
    """Exports with a symbolic batch, at opset 23."""
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
