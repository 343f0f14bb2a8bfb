"""A Homey's web API: logic variables, and the catalogue of calls."""
