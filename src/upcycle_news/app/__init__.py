"""The application context: settings become live objects (store, signing keys, relays)."""
