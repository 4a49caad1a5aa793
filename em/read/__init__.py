"""How a model is read: sites, classes, levels, dependencies, and the proof of it."""
