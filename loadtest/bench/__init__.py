"""`make bench`: the whole line against its limits, on one machine in one run."""
