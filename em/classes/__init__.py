"""From log joints to classes."""
