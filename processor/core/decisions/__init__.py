"""
One file per kind of command: what it needs to read, and whether it is carried out. Pure: no I/O, no
clock.
"""
