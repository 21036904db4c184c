"""Manifests become MJML, HTML, text parts and pictures."""
