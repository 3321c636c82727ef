"""Tests of the documentation site, the workflows and the hooks."""
