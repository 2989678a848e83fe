"""What channels send, and what must come of it: a function for each story of the sample."""
