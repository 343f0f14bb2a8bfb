"""A year of trouble in seconds: real keepers over a cloud in memory, on a clock that jumps."""
