"""The public archive as static files: pages, Atom feed and site map from sent issues."""
