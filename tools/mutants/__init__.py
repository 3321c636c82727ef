"""Mutation testing on a sample: find changes of the code that no test notices.

``python -m tools.mutants --sample 200 --seed 0`` changes one place of a file at a time (a
comparison, a constant, a condition...), runs the tests that cover the file, and reports the mutants
that no test kills. ``docs/coverage/mutants.md`` shows the last run.

The repository has its own tool for two reasons. mutmut 3 skips decorated functions, and most
lowerings are decorated. cosmic-ray writes each mutant into the checkout, runs one test command for
all files, draws no sample from a seed, and starts an interpreter for each mutant, which spends most
of its time importing JAX.
"""
