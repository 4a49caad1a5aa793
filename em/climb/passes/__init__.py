"""Climbs over rows that are read batch by batch: a pass over all of them is a step."""
