"""Yardsticks that share no code with the product: what they agree on is not agreed with itself."""
