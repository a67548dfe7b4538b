"""What goes into the sandbox: the wire and the player, and nothing that must stay secret."""
