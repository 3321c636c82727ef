"""The command: ``python -m tools.mutants --sample 200 --seed 0``."""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.mutants import journal, processes, suites
from tools.mutants.journal import Equivalent, Journal, Row
from tools.mutants.mutators import Mutant, mutants, mutated
from tools.mutants.processes import Baseline

ROOT = Path(__file__).resolve().parents[2]
PATHS = (
    "jax2onnx/lower/rules",
    "jax2onnx/rewrite",
    "jax2onnx/checks/comparison.py",
    "exporters/parity/compare.py",
)
DOCUMENT = "docs/coverage/mutants.md"
JOURNAL = "dist/mutants.jsonl"
WANTED = 90.0
"""The percentage of mutants that the tests have to kill."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a sample, and return 1 when less than 90% of it is killed."""
    options = _parser().parse_args(arguments)
    root: Path = options.root.resolve()
    everything = _all(root, options.paths)
    chosen = sample(everything, options.sample, options.seed)
    if options.list:
        for mutant in chosen:
            print(f"{mutant.key} {mutant.file}:{mutant.first}: {mutant.text}")
        return 0
    kept, known = Journal(options.journal or root / JOURNAL), journal.equivalents()
    todo = [m for m in chosen if options.afresh or m.key not in kept.rows]
    if options.survivors:
        todo = _survivors(chosen, kept, known)
    if options.keys:
        todo = [m for m in everything if m.key in options.keys]
    if todo:
        _run(root, todo, kept, options.jobs, options.grace)
        kept = Journal(kept.path)
    rows = [kept.rows[m.key] for m in chosen if m.key in kept.rows]
    killed, equivalent, survived = journal.classify(rows, known)
    percent = journal.share(len(killed), len(survived))
    for row in survived:
        print(f"survived {row.key} {row.file}:{row.line}: {row.text}")
    for entry in journal.stale(everything, known) if tuple(options.paths) == PATHS else ():
        print(f"equivalents.toml: no mutant of {entry.file} is {entry.before} -> {entry.after}")
    print(
        f"{len(rows)} mutants: {len(killed)} killed, {len(equivalent)} equivalent, "
        f"{len(survived)} survived; {percent:.1f}% of the non-equivalent ones killed."
    )
    if options.document:
        paths = "" if tuple(options.paths) == PATHS else f" --paths {' '.join(options.paths)}"
        command = f"python -m tools.mutants{paths} --sample {options.sample} --seed {options.seed}"
        text = journal.render(rows, known, command, len(everything))
        (root / DOCUMENT).write_text(text, "utf-8")
    return 0 if percent >= WANTED else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.mutants", description=__doc__)
    add = parser.add_argument
    add("--paths", nargs="+", default=PATHS, help="files and folders to mutate")
    add("--sample", type=int, default=200, help="number of mutants; 0 for all (default: 200)")
    add("--seed", type=int, default=0, help="seed of the sample (default: 0)")
    add("--journal", type=Path, help=f"file that keeps the outcomes (default: {JOURNAL})")
    add("--jobs", type=int, default=1, help="number of mutants to run at a time (default: 1)")
    add("--afresh", action="store_true", help="also rerun mutants that are in the journal")
    add("--survivors", action="store_true", help="run only mutants that survived before")
    add("--keys", nargs="+", help="run only these mutants, whether in the sample or not")
    add("--list", action="store_true", help="list the sample, and run nothing")
    add("--document", action="store_true", help=f"write {DOCUMENT}")
    add("--root", type=Path, default=ROOT, help="root of the repository")
    add(
        "--grace",
        type=int,
        default=20,
        help="seconds that a mutant gets beyond three times its tests' duration",
    )
    return parser


def sample(mutants: Sequence[Mutant], count: int, seed: int) -> list[Mutant]:
    """Return ``count`` mutants (0: all) in the order of their files.

    A mutant's rank depends only on its key and the seed, so an edit elsewhere leaves it in the
    sample, and a larger sample contains the smaller one.
    """

    def rank(mutant: Mutant) -> str:
        return hashlib.sha256(f"{seed}:{mutant.key}".encode()).hexdigest()

    chosen = sorted(mutants, key=rank)[: count or None]
    return sorted(chosen, key=lambda m: (m.file, m.number))


def _survivors(
    chosen: Sequence[Mutant], kept: Journal, known: Sequence[Equivalent]
) -> list[Mutant]:
    """Return the mutants that survived their last run and are not known to be equivalent."""
    left = {key for key, row in kept.rows.items() if row.outcome == "survived"}
    return [m for m in chosen if m.key in left and not any(e.matches(m) for e in known)]


def _all(root: Path, paths: Sequence[str]) -> list[Mutant]:
    """Return every mutant of the files at and below ``paths``, except tests."""
    files = set()
    for path in paths:
        target = root / path
        if not target.exists():
            raise SystemExit(f"there is no {path} in the repository.")
        files |= {target} if target.is_file() else set(target.rglob("*.py"))
    names = sorted(f.relative_to(root).as_posix() for f in files if not f.stem.endswith("_test"))
    return [m for name in names for m in mutants(name, (root / name).read_text("utf-8"))]


def _run(root: Path, todo: Sequence[Mutant], kept: Journal, jobs: int, grace: int) -> None:
    """Run the mutants and record their outcomes. One worker runs all mutants of a file."""
    processes.preload()
    files = sorted({m.file for m in todo})
    parts = [[m for m in todo if files.index(m.file) % jobs == part] for part in range(jobs)]
    context = multiprocessing.get_context("fork")
    workers = [
        context.Process(target=_run_part, args=(root, part, kept, grace)) for part in parts if part
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if any(worker.exitcode for worker in workers):
        raise SystemExit("A worker failed. The journal has the outcomes of the other workers.")


def _run_part(root: Path, todo: Sequence[Mutant], kept: Journal, grace: int) -> None:
    """Run mutants one after the other, and record their outcomes."""
    table = suites.load()
    stages = {m.file: suites.suites_of(m.file, root, table) for m in todo}
    files = [root / file for file in stages]
    before: dict[str, Baseline] = {}
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        for number, m in enumerate(todo, 1):
            for tests in stages[m.file]:
                for test in tests:
                    if test not in before:
                        before[test] = processes.baseline(test, files, cache)
                row = _judge(root, m, {test: before[test] for test in tests}, cache, grace)
                if row.outcome != "survived":
                    break
            kept.add(row)
            place = f"{row.file}:{row.line}"
            print(f"[{number}/{len(todo)}] {row.outcome} {place}: {row.text}", flush=True)


def _judge(
    root: Path, mutant: Mutant, before: Mapping[str, Baseline], cache: Path, grace: int
) -> Row:
    """Run a mutant's tests and return the outcome."""
    file = root / mutant.file
    tree = mutated(file.read_text("utf-8"), mutant.number)
    code = compile(tree, str(file), "exec", dont_inherit=True)
    module = ".".join(Path(mutant.file).with_suffix("").parts).removesuffix(".__init__")
    order: dict[str, tuple[bool, float]] = {}
    for each in before.values():
        order |= each.order(file, mutant.first, mutant.last)
    # A test that does not run the changed lines of a function cannot fail because of them.
    reaching = {test: key for test, key in order.items() if mutant.where and not key[0]}
    limit = 3 * sum(each.seconds for each in before.values()) + grace
    ended = processes.run_mutant(module, file, code, list(before), reaching or order, cache, limit)
    if ended.code == 0 and not ended.report.get("loaded"):
        raise SystemExit(
            f"{', '.join(before)} never import {mutant.file}. Correct tools/mutants/suites.toml."
        )
    outcome = "killed"
    if ended.code is None:
        outcome = "timeout"
    elif ended.code == 0:
        outcome = "survived"
    elif ended.code < 0 or ended.code > 4:
        outcome = "crash"
    return Row.of(mutant, outcome, ended.report.get("failed", ""), ended.seconds)


if __name__ == "__main__":
    sys.exit(main())
