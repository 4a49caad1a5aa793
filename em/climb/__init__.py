"""From starts to optima: the loop, its ends, and the choice among climbs."""
