"""Run every file of ``examples/`` against a simulator and a daemon; ``examples/run`` starts it."""
