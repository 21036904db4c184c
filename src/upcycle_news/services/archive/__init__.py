"""Build the archive from the store, correct and withdraw issues."""
