"""The sign-in with raw requests and scripted responses, without a network."""
