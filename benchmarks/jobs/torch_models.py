"""Export the PyTorch counterpart of a model with ``torch.onnx.export`` (dynamo).

Arguments: MODEL OUTPUT, where MODEL is one of ``benchmarks.architectures``. The job needs torch,
torchvision and transformers. The weights are random. It prints the CPU seconds of the export,
without building the model.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import torch  # noqa: TID251  # This runs in an environment of its own.
import torchvision
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


def vit() -> tuple[torch.nn.Module, tuple[torch.Tensor, ...]]:
    """Return ViT-B/16, which the default configuration describes, and example images."""
    config = transformers.ViTConfig(num_labels=1000, attn_implementation="eager")
    model = transformers.ViTForImageClassification(config)
    return First(model, lambda m, x: m(x).logits), (torch.zeros(2, 3, 224, 224),)


def convnext() -> tuple[torch.nn.Module, tuple[torch.Tensor, ...]]:
    """Return ConvNeXt-T, which the default configuration describes, and NCHW example images."""
    model = transformers.ConvNextForImageClassification(
        transformers.ConvNextConfig(num_labels=1000)
    )
    return First(model, lambda m, x: m(x).logits), (torch.zeros(2, 3, 224, 224),)


def mobilenet() -> tuple[torch.nn.Module, tuple[torch.Tensor, ...]]:
    """Return MobileNetV3-Large and NCHW example images."""
    model = torchvision.models.mobilenet_v3_large()
    return First(model, lambda m, x: m(x)), (torch.zeros(2, 3, 224, 224),)


def llama() -> tuple[torch.nn.Module, tuple[torch.Tensor, ...]]:
    """Return a Llama that decodes one token after 255 others, and an example with its cache."""
    config = transformers.LlamaConfig(
        vocab_size=32000,
        hidden_size=1024,
        intermediate_size=2816,
        num_hidden_layers=4,
        num_attention_heads=16,
        num_key_value_heads=4,
        attn_implementation="eager",
    )

    def step(model: Any, ids: Any, positions: Any, *past: Any) -> Any:
        cache = transformers.DynamicCache()
        for layer in range(4):
            cache.update(past[2 * layer], past[2 * layer + 1], layer)
        result = model(input_ids=ids, position_ids=positions, past_key_values=cache)
        present = result.past_key_values.layers
        return (result.logits, *(x for layer in present for x in (layer.keys, layer.values)))

    token = torch.ones(2, 1, dtype=torch.int64)
    past = [torch.zeros(2, 4, 255, 64) for _ in range(8)]
    return First(transformers.LlamaForCausalLM(config), step), (token, token, *past)


class GraphLayer(torch.nn.Module):
    """Messages along edges, added at the nodes that receive them."""

    def __init__(self) -> None:
        super().__init__()
        self.message = torch.nn.Linear(64, 64)
        self.update = torch.nn.Linear(64, 64)

    def forward(self, nodes: Any, senders: Any, receivers: Any) -> Any:
        """Map f32 (nodes, 64) and two integers for each edge to f32 (nodes, 64)."""
        messages = torch.relu(self.message(nodes[senders]))
        total = torch.zeros_like(nodes).index_add(0, receivers, messages)
        return nodes + self.update(total)


def gnn() -> tuple[torch.nn.Module, tuple[torch.Tensor, ...]]:
    """Return a layer of a graph neural network, and an example graph."""
    edges = torch.arange(10000) % 1000
    return GraphLayer(), (torch.zeros(1000, 64), edges, edges)


def _integers() -> torch.Tensor:
    return torch.ones(2, 128, dtype=torch.int64)


def main(name: str, output: str) -> None:
    """Export the model at opset 23, with a symbolic batch if it has one."""
    torch.manual_seed(0)
    model, inputs = globals()[name]()
    model.eval()
    batch = torch.export.Dim("B")
    dynamic = tuple({0: batch} for _ in inputs) if name != "gnn" else tuple({} for _ in inputs)
    start = time.process_time()
    program = torch.onnx.export(
        model,
        inputs,
        dynamo=True,
        verbose=False,
        dynamic_shapes=(dynamic,) if isinstance(model, First) else dynamic,
        opset_version=23,
    )
    program.save(output, external_data=True)
    print(json.dumps({"cpu": time.process_time() - start}))


main(*sys.argv[1:])
