"""How large the report of a large result is, and how soon it shows the first group."""
