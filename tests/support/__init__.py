"""Fakes: working replacements for what surrounds the code under test."""
