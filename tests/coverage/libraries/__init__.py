"""The examples, one module for each library; ``tests.coverage.example`` describes their form."""
