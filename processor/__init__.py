"""
The payments core: commands from Kafka become posted double entries in PostgreSQL and outcome
events.

    decode -> dedupe -> decide and post -> emit -> remember -> acknowledge

`pipeline.py` is the line on one screen. Money moves exactly once, every message gets an answer, the
books balance.
"""

__version__ = "0.1.0"
