"""Curation of an issue: story clusters, ranking, selection, differences. Pure functions of values."""
