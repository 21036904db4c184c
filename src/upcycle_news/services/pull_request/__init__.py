"""What a pull request (or merge request) changes, as its readers would see it."""
