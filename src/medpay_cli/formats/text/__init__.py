"""Text whose records are lines: delimited or of fixed width."""
