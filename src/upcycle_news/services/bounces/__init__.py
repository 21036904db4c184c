"""Apply bounce reports to the list."""
