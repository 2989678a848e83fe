"""What the product knows about payments. Pure: no I/O, no async, no clock, no logger."""
