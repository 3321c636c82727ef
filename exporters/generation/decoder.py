"""Running a decoder on ONNX Runtime, one sequence at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from exporters.errors import ExportError

_PAST, _PRESENT = "past_key_values.", "present."
_KNOWN = ("input_ids", "attention_mask", "position_ids")
_TYPES = {"tensor(float)": 1, "tensor(float16)": 10, "tensor(bfloat16)": 16}
"""The numbers of element types in ONNX (``TensorProto.DataType``)."""


class Decoder:
    """A model with a cache, and the sequence that it has seen so far.

    The cache stays in ONNX Runtime's memory between calls.

    Args:
        session: a model with the inputs ``input_ids``, ``attention_mask``, ``past_key_values.N.*``
            and, if it takes them, ``position_ids``, and with the outputs ``logits`` and
            ``present.N.*``.
        chunk: the largest number of tokens in one run. It bounds the memory that a long prompt
            needs.

    Raises:
        ExportError: the model has other inputs or outputs.
    """

    def __init__(self, session: ort.InferenceSession, *, chunk: int = 512) -> None:
        self._session, self._chunk = session, chunk
        self._inputs = {each.name: each for each in session.get_inputs()}
        past = [name for name in self._inputs if name.startswith(_PAST)]
        if not past:
            raise ExportError(
                f"the model has no inputs {_PAST}N.key, so it cannot continue a sequence: export "
                "it with a cache (-O cache=true, or options={'cache': True} of its target)."
            )
        unknown = [name for name in self._inputs if name not in (*_KNOWN, *past)]
        outputs = {each.name: each.shape for each in session.get_outputs()}
        self._present = {name: name.replace(_PAST, _PRESENT, 1) for name in past}
        missing = [name for name in ("logits", *self._present.values()) if name not in outputs]
        missing += [name for name in _KNOWN[:2] if name not in self._inputs]
        if unknown or missing:
            raise ExportError(
                "the model is not a decoder that can be run here: "
                + "; ".join(
                    f"{kind} {', '.join(names)}"
                    for kind, names in (("it lacks", missing), ("unknown inputs", unknown))
                    if names
                )
                + "."
            )
        size = outputs["logits"][-1]
        self._vocabulary = size if isinstance(size, int) else None
        self._cache = {name: self._empty(name) for name in past}
        self._length = 0

    @property
    def length(self) -> int:
        """The number of tokens in the cache."""
        return self._length

    def __call__(self, ids: Sequence[int]) -> npt.NDArray[np.float32]:
        """Continue the sequence, and return the logits of the token that follows it.

        Args:
            ids: one or more token ids.

        Returns:
            The logits, f32 (vocabulary,).

        Raises:
            ExportError: the model has no such token.
        """
        if self._vocabulary is not None and max(ids) >= self._vocabulary:
            raise ExportError(
                f"token {max(ids)} is not among the {self._vocabulary} tokens of the model: the "
                "tokenizer belongs to another model."
            )
        for start in range(0, len(ids), self._chunk):
            logits = self._run(ids[start : start + self._chunk])
        return logits

    def _run(self, ids: Sequence[int]) -> npt.NDArray[np.float32]:
        """Run the model on tokens that follow those in the cache."""
        total = self._length + len(ids)
        arrays = {
            "input_ids": np.array([ids], np.int64),
            "attention_mask": np.ones((1, total), np.int64),
            "position_ids": np.arange(self._length, total, dtype=np.int64)[None],
        }
        feeds = {
            name: ort.OrtValue.ortvalue_from_numpy(array)
            for name, array in arrays.items()
            if name in self._inputs
        }
        names = ["logits", *self._present.values()]
        logits, *present = self._session.run_with_ort_values(names, {**feeds, **self._cache})
        self._cache = dict(zip(self._present, present, strict=True))
        self._length = total
        last: npt.NDArray[np.float32] = logits.numpy()[0, -1]
        return last

    def _empty(self, name: str) -> ort.OrtValue:
        """Return a cache of no positions."""
        spec = self._inputs[name]
        batch, heads, length, size = spec.shape
        if batch not in (1, None) and not isinstance(batch, str):
            raise ExportError(f"{name} has a batch of {batch}: export the model with batch 1.")
        if isinstance(length, int) or not isinstance(heads, int) or not isinstance(size, int):
            raise ExportError(
                f"the shape of {name} is {spec.shape}: the number of heads and their size must be "
                "fixed, and the number of positions open."
            )
        if spec.type not in _TYPES:
            raise ExportError(f"{name} has the type {spec.type}: give a floating-point model.")
        return ort.OrtValue.ortvalue_from_shape_and_type((1, heads, 0, size), _TYPES[spec.type])
