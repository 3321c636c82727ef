"""Metadata: only what the converter means to say, and nothing of the machine that said it."""

from __future__ import annotations

import onnx_ir as ir

from jax2onnx import __version__
from jax2onnx.graph.walk import bodies, nested_graphs

PRODUCER = "jax2onnx"


def clean_metadata(model: ir.Model) -> None:
    """Stamp the producer, and drop what is nobody's business.

    That is the doc strings of graphs, nodes, values and tensors: tools put stack traces with the
    build machine's paths there. Those of the model and of functions are the author's, and stay.
    """
    model.producer_name = PRODUCER
    model.producer_version = __version__
    for body in bodies(model):
        for graph in nested_graphs(body):
            graph.doc_string = None
            for value in (*graph.inputs, *graph.initializers.values()):
                _clean_value(value)
            for node in graph:
                node.doc_string = None
                for value in node.outputs:
                    value.doc_string = None


def _clean_value(value: ir.Value) -> None:
    value.doc_string = None
    if value.const_value is not None and value.const_value.doc_string is not None:
        value.const_value.doc_string = None
