"""The tolerances of results."""

from __future__ import annotations

TOLERANCES = {"float32": 1e-5, "float64": 1e-12, "float16": 2e-3, "bfloat16": 2e-2}
"""Tolerances relative to the value or to the largest value of the output, by dtype.

Other types have to be equal. The parts of a complex number have the tolerance of their type.
"""


_WINDOW = "windowstrides_1_1_padding_0_0_0_0_lhsdilation_1_1_rhsdilation_1_1"
WIDER = {
    "conv_general_dilated_preferred_lhs_complex64_2_3_9_10_rhs_complex64_3_3_4_5_"
    f"{_WINDOW}_dimensionnumbers_NCHW_OIHW_NCHW_featuregroupcount_1_batchgroupcount_1_"
    "precision_None_preferred_complex128_enablexla_True": (
        1e-7,
        "JAX adds in float32: 5e-8 from its result for complex128, with which the model agrees.",
    ),
}
"""The wider tolerance of each case that needs one, and the measured error as the reason."""


class DisagreementError(Exception):
    """Results differ; the message says which and by how much."""
