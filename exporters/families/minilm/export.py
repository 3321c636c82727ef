"""The exporter of MiniLM."""

from __future__ import annotations

import numpy as np

from exporters.errors import ExportError
from exporters.families.minilm.checkpoint import IGNORED, sources
from exporters.families.minilm.config import parse
from exporters.families.minilm.model import MiniLM
from exporters.model.exportable import Exportable
from exporters.model.extents import Extent, check_extent, check_layers
from exporters.model.layers import as_stored
from jax2onnx import InputSpec
from weights import Checkpoint


def export(
    checkpoint: Checkpoint, *, batch: Extent = "batch_size", sequence: Extent = "sequence_length"
) -> Exportable:
    """Return the model of a checkpoint in the published layout.

    Inputs, outputs and dimensions have the names that clients of encoders look for.

    Args:
        checkpoint: the weights and their config.json.
        batch: the number of texts, or a name that leaves it open.
        sequence: the number of tokens of each text, or a name that leaves it open.

    Raises:
        ExportError: the config is not understood, or an option does not fit the model.
    """
    config = parse(checkpoint.json(), str(checkpoint.folder / "config.json"))
    check_layers(config.num_hidden_layers, checkpoint)
    check_extent("batch", batch)
    check_extent("sequence", sequence, taken=[batch])
    if isinstance(sequence, int) and sequence > config.max_position_embeddings:
        raise ExportError(
            f"sequence is {sequence}, and the model has {config.max_position_embeddings} "
            "positions: give a number up to that, or a name such as 'sequence_length'."
        )
    parameters = sources(config)
    ids = InputSpec((batch, sequence), np.int64)
    return Exportable(
        model=as_stored(MiniLM(config), parameters, checkpoint),
        inputs=[ids, ids, ids],
        parameters=parameters,
        input_names=["input_ids", "attention_mask", "token_type_ids"],
        output_names=["last_hidden_state", "sentence_embedding"],
        ignored=IGNORED,
    )
