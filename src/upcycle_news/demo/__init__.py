"""The sample run: invented feeds, invented subscribers and a site on loopback that serves them."""
