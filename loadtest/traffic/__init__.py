"""What a load sends: shares of commands, and blocks of them, each written from its number alone."""
