"""Random inputs for whatever reads what others wrote; ``__main__`` describes the use."""
