"""The classes of a fit: which axes of its parameters number them, which they are compared with."""
