"""The sinks, where each new token is written (``ports.Sink``), and the notifiers."""
