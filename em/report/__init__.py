"""What users see of a fit."""
