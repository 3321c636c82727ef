"""Mutation sampling: would the tests notice if one place of the code were wrong?

``python -m tools.mutants --sample 200 --seed 0`` changes one place of a file at a time (a
comparison, a constant, a condition...), runs the tests that hold the file, and reports the mutants
that no test kills. ``docs/coverage/mutants.md`` shows the last run.

The tool is our own for two reasons. mutmut 3 leaves decorated functions out, which most lowerings
are. cosmic-ray writes each mutant into the checkout, runs one test command for all files, draws no
sample from a seed, and starts an interpreter for each mutant, which then spends its time on
importing JAX.
"""
