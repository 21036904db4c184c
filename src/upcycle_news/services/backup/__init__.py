"""Back up, restore and migrate the store."""
