"""Data that stay where they are: files and other sources, read batch by batch."""
