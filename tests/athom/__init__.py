"""The sign-in driven by hand: raw requests out, scripted responses in, no network."""
