"""Renders manifests to MJML, HTML, text parts and images; previews and template contexts."""
