"""The places where each fresh token is written: one class each, one method (``ports.Sink``)."""
