"""Loads that several machines send: agents, each a generator, and the run that they connect to."""
