"""Faults in load runs: what befalls workers, servers and the network between them, and when."""
