"""Creation of a new publication."""
