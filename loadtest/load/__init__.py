"""Load on a schedule: what is sent when, how long its outcomes took, and what a run was worth."""
