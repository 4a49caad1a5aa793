"""Check a fit: marginalise z, run NUTS and SVI on the same model, relabel, cross-check, ArviZ."""
