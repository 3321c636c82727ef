"""Metadata: the producer, and no trace of the machine that built the model."""

import onnx_ir as ir

from jax2onnx import __version__
from jax2onnx.graph.walk import bodies, nested_graphs

PRODUCER = "jax2onnx"


def clean_metadata(model: ir.Model) -> None:
    """Set the producer, and remove the doc strings of graphs, nodes, values and tensors, in place.

    Tools put stack traces with paths of the build machine there. The doc strings of the model and
    of its functions are the author's and stay.
    """
    model.producer_name = PRODUCER
    model.producer_version = __version__
    for body in bodies(model):
        for graph in nested_graphs(body):
            graph.doc_string = None
            for value in (*graph.inputs, *graph.initializers.values()):
                value.doc_string = None
                if value.const_value is not None and value.const_value.doc_string is not None:
                    value.const_value.doc_string = None
            for node in graph:
                node.doc_string = None
                for value in node.outputs:
                    value.doc_string = None
