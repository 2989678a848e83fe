"""Load the product from outside, and prove from outside that it kept its promises."""
