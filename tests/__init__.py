"""End-to-end tests, which run the commands as users do. Unit tests lie beside the code."""
