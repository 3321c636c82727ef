"""Check whether every public symbol of the libraries that models are written in converts."""
