"""A year of failures in seconds: real keepers over a cloud in memory, with a clock that jumps."""
