"""What a run measures besides its own messages: processes, machine, the way to the last outcome."""
