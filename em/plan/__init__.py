"""What was read, made ready: places of parameters, families, blocks and their rungs."""
