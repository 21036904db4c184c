"""What comes back by mail: inbox, report parser, signed return addresses, scores."""
