"""Run the checks of a publication."""
