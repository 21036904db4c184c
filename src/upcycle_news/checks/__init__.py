"""Findings about essays, templates and rendered issues, each with a code and a location."""
