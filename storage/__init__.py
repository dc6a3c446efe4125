"""Where images come from (sources) and where what is known of them lives (the index directory)."""
