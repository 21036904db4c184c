"""The delivery report and what changed, in Markdown."""
