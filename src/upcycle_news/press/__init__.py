"""What an issue looks like: templates, Markdown, MJML, the text part, preflight and preview.

Pure functions of values: no store, no clock, no network. The doors are `templates.load_templates`,
`render.render`, `preflight.preflight` and `preview.preview_page`.
"""
