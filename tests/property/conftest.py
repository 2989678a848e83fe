"""How hard properties are tried: `HYPOTHESIS_PROFILE=long` tries much harder than usual."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "quick", max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "long", max_examples=5_000, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
