"""`loadtest peers`: the same payments through systems that a user would pick instead."""
