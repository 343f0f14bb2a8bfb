"""Stand-ins with behaviour: what a test puts where the world would be."""
