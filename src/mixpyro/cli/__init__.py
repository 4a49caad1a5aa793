"""The command line beyond the demo, of the extra ``cli``: files in, a fit and a page out."""
