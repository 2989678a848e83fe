"""Proves the books: each check reads, counts and names what is wrong. Nothing here writes."""
