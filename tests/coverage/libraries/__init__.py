"""The examples, one module a library; what each must hold is said in `tests.coverage.example`."""
