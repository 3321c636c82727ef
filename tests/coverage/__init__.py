"""Every public symbol of the libraries that models are written in, and whether it converts."""
