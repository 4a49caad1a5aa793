"""What a model is called with, and what else it reads."""
