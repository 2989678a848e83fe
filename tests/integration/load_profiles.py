"""Profiles that several tests of loads send."""

from __future__ import annotations

PROFILE = """
title = "a short one"
accounts = 50
workers = 2
thresholds = ["worst_stall_ms <= {stall_ms}"]

[[stages]]
seconds = 1
per_second = 100
warm_up = true

[[stages]]
seconds = 2
per_second = 100
to_per_second = 300
"""
