"""What is remembered: the only place with SQL. One module per family of tables."""
