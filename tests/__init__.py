"""End-to-end tests: the commands as users run them. Unit tests lie beside what they test."""
