"""The flow driven by hand: raw facts out, scripted answers in, no network."""
