"""What goes into an issue: ranking, story clusters, selection. Pure functions of values."""
