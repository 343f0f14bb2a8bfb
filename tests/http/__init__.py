"""The transport against real local servers."""
