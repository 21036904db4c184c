"""Queue, send, retry and account for the deliveries of an issue."""
