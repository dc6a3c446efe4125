"""Pictures to embeddings: which networks there are, where their weights are, and what runs them."""
