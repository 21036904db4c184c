"""Who may be written to: addresses, consent and the signed links of each reader."""
