"""What a fit says of rows, given or its own: classes, densities, samples; whole or by batch."""
