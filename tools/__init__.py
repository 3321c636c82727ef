"""Tools for contributors to this repository; none of them is shipped."""
