"""Set the number of random programs: hundreds in the suite, thousands in the profile nightly.

pytest tests/properties --hypothesis-profile=nightly
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

_ALWAYS = {
    "deadline": None,
    "database": None,
    "print_blob": True,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
}
settings.register_profile("suite", max_examples=60, derandomize=True, **_ALWAYS)  # type: ignore[arg-type]
settings.register_profile("nightly", max_examples=3000, **_ALWAYS)  # type: ignore[arg-type]
settings.load_profile("suite")
