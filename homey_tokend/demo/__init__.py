"""``homey-tokend demo``: simulator and daemon together, told as it happens."""
