"""The `dedup` command: what people type, and what it prints."""
