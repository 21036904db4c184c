"""Sign-up, confirmation, preferences, unsubscribing, export."""
