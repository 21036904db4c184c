"""Messages for editors in German and English."""
