"""Measure the CPU milliseconds of ``to_onnx`` for every EVERY-th case of JAX's test harness.

Arguments: EVERY. The job runs with either exporter. For each case that converts, it prints the time
of the conversion, which includes tracing, and that of ``jax.make_jaxpr`` alone. Each case runs
twice, and the second run counts, so that modules that load at first use are loaded.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax._src.internal_test_util import test_harnesses

from jax2onnx import to_onnx


def seconds(call: Callable[[], Any]) -> float:
    """Return the CPU seconds of the second of two calls, with JAX's caches cleared in between."""
    call()
    jax.clear_caches()
    start = time.process_time()
    call()
    return time.process_time() - start


def main(every: str) -> None:
    """Convert the cases one after the other, and count those that cannot be converted."""
    warnings.simplefilter("ignore")
    convert, trace, failed = [], [], 0
    for harness in test_harnesses.all_harnesses[:: int(every)]:
        arguments = [np.asarray(a) for a in harness.dyn_args_maker(np.random.RandomState(0))]
        wide = any(a.dtype in (np.int64, np.uint64, float, complex) for a in arguments)
        with jax.enable_x64(wide):
            try:
                took = seconds(
                    lambda: to_onnx(
                        harness.dyn_fun,  # noqa: B023  # The function is called immediately.
                        arguments,  # noqa: B023
                        enable_double_precision=wide,  # noqa: B023
                    )
                )
            except (NotImplementedError, TypeError, ValueError):  # the errors of either exporter
                failed += 1
                continue
            trace.append(1e3 * seconds(lambda: jax.make_jaxpr(harness.dyn_fun)(*arguments)))  # noqa: B023
        convert.append(1e3 * took)
    print(json.dumps({"convert": convert, "trace": trace, "failed": failed}))


main(*sys.argv[1:])
