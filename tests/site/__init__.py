"""Tests of what strangers see first: the documentation site, the workflows, the hooks."""
