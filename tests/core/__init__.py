"""Tests of what is known and decided: pure, and fast."""
