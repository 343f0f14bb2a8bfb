"""The places where each new token is written: one class each, one method (``ports.Sink``)."""
