"""Compose an issue from the present content, approve it and send it to all subscribers."""

from upcycle_news import open_app

with open_app() as app:
    preview = app.issues.preview()
    app.issues.approve(preview.issue, by="compose_and_send.py")
    status = app.issues.send(preview.issue).status
    print(f"issue {status.issue}: sent to {status.sent} of {status.audience}")
