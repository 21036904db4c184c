"""The demo: sample content, a feed server on loopback, the main flow."""
