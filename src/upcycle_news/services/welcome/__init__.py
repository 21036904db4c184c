"""The welcome: steps that editors preview and approve once, and readers get after the confirmation."""
