"""Lays out a new publication."""
