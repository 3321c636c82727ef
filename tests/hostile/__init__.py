"""A catalogue of bad input: each entry ends with one clear line, and with nothing left behind."""
