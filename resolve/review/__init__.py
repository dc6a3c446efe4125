"""`dedup review`: going through the groups by keyboard, on a page that this machine serves."""
