"""What does this method do with a gradient? One idea a file."""
