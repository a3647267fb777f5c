"""The `nos` command: one module per concern, standard library only."""
