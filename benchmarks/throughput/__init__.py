"""What the pass costs, beside its own parts and beside other tools."""
