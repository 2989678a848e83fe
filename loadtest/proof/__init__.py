"""What was sent, seen and recorded, held against the reference model."""
