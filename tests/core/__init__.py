"""Tests of values and decisions: pure, and fast."""
