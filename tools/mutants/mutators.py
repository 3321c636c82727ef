"""The mutants of a source file: each is the file with one place changed.

Mutators:
    boundary, comparison: ``<`` becomes ``<=``, then ``>=``; ``==`` becomes ``!=``; ``is`` and
        ``in`` become their negations.
    arithmetic: an operator becomes its counterpart, ``+`` for ``-``, ``*`` for ``//``, ``&`` for
        ``|``...; a sign is dropped.
    constant: a number grows or shrinks by one (a very large or small float by a factor of 1000),
        a boolean is negated.
    logic: ``and`` becomes ``or``, one operand is dropped, a ``not`` is removed.
    condition: the condition of an ``if`` becomes true or false; a ``while`` loop never runs; a
        filter of a comprehension is dropped.
    return: a function returns None in place of its result.
    arguments: two neighbouring positional arguments are swapped.
    statement: a call, an update of a name, a ``raise``, ``break`` or ``continue`` is deleted.

No mutant changes annotations, docstrings, imports, ``__all__``, assertions, the exception of a
``raise``, f-strings, or decorators that do not change results (``dataclass``, ``cache``).
"""

from __future__ import annotations

import ast
import copy
import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Edit = tuple[str, ast.AST | None]
"""The mutator's name, and the node that replaces another; None deletes a statement."""

_COMPARISONS: dict[type[ast.cmpop], tuple[tuple[str, type[ast.cmpop]], ...]] = {
    ast.Lt: (("boundary", ast.LtE), ("comparison", ast.GtE)),
    ast.LtE: (("boundary", ast.Lt), ("comparison", ast.Gt)),
    ast.Gt: (("boundary", ast.GtE), ("comparison", ast.LtE)),
    ast.GtE: (("boundary", ast.Gt), ("comparison", ast.Lt)),
    ast.Eq: (("comparison", ast.NotEq),),
    ast.NotEq: (("comparison", ast.Eq),),
    ast.Is: (("comparison", ast.IsNot),),
    ast.IsNot: (("comparison", ast.Is),),
    ast.In: (("comparison", ast.NotIn),),
    ast.NotIn: (("comparison", ast.In),),
}

_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.MatMult: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitAnd,
}

_TYPING = ("cast", "TypeVar", "warn")
_UNORDERED = frozenset(
    (
        *_TYPING,
        *("Add", "Mul", "Max", "Min", "And", "Or", "Xor", "Equal"),
        *("BitwiseAnd", "BitwiseOr", "BitwiseXor"),
        *("add", "multiply", "maximum", "minimum", "max", "min", "equal", "gcd", "isdisjoint"),
        *("logical_and", "logical_or", "logical_xor"),
        *("bitwise_and", "bitwise_or", "bitwise_xor"),
        *("broadcast", "broadcast_shapes"),
    )
)
"""Functions that are commutative, or whose arguments do not affect what is computed."""

_STORING = frozenset(("dataclass", "cache", "lru_cache", "cached_property", "wraps", "overload"))


@dataclass(frozen=True)
class Mutant:
    """One place of a file, changed.

    Attributes:
        file: the path of the file, relative to the root of the repository.
        number: its index among all mutants of the file.
        mutator: the name of the mutator.
        where: the qualified name of the enclosing function or class; empty for the module.
        before: the text of the statement, or of the header of a compound one.
        after: the same with the change.
        again: how many equal changes of equal statements precede it in the same function.
        first: the first line of the statement.
        last: the last line of ``before``.

    """

    file: str
    number: int
    mutator: str
    where: str
    before: str
    after: str
    again: int
    first: int
    last: int

    @property
    def key(self) -> str:
        """An identifier of the mutant, which does not depend on the rest of the file."""
        parts = (self.file, self.where, self.before, self.after, str(self.again))
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]

    @property
    def text(self) -> str:
        """The change, on one line."""
        return change(self.before, self.after)


def change(before: str, after: str) -> str:
    """Return a change as one line."""
    return f"{one_line(before)} -> {one_line(after) or '(deleted)'}"


def one_line(text: str) -> str:
    """Return ``text`` with every run of white space as one space."""
    return " ".join(text.split())


@dataclass(frozen=True)
class _Place:
    """The field of a parent that holds a node, directly or in a list."""

    parent: ast.AST
    field: str
    index: int | None

    def put(self, new: ast.AST | None) -> None:
        """Replace the node by ``new``. None deletes it, and replaces a statement by ``pass``."""
        if self.index is None:
            setattr(self.parent, self.field, new)
            return
        items = getattr(self.parent, self.field)
        if new is not None:
            items[self.index] = new
        elif isinstance(items[self.index], ast.comprehension | ast.expr):
            del items[self.index]
        else:
            items[self.index] = ast.copy_location(ast.Pass(), items[self.index])


def mutants(file: str, source: str) -> list[Mutant]:
    """Return every mutant of a file, in the order of the source."""
    found: list[Mutant] = []
    seen: Counter[tuple[str, str, str]] = Counter()
    for number, (site, edit) in enumerate(_sites(ast.parse(source))):
        before = _shown(site.statement)
        after = _shown(_changed(site, edit))
        text = (site.where, before, after)
        first = getattr(site.statement, "lineno", 1)
        last = getattr(_header(site.statement)[-1], "end_lineno", first)
        found.append(Mutant(file, number, edit[0], *text, again=seen[text], first=first, last=last))
        seen[text] += 1
    return found


def mutated(source: str, number: int) -> ast.Module:
    """Return the tree of the file with change ``number`` made."""
    tree = ast.parse(source)
    for each, (site, (_, new)) in enumerate(_sites(tree)):
        if each == number:
            site.place.put(new)
            return ast.fix_missing_locations(tree)
    raise IndexError(number)


@dataclass(frozen=True)
class _Site:
    """A place, its innermost enclosing statement (or handler), and its enclosing function."""

    place: _Place
    statement: ast.AST
    where: str


def _sites(tree: ast.Module) -> Iterator[tuple[_Site, Edit]]:
    for site, node in _walk(tree, tree, ()):
        for edit in _edits(site, node):
            yield site, edit


def _walk(
    node: ast.AST, statement: ast.AST, names: tuple[str, ...]
) -> Iterator[tuple[_Site, ast.AST]]:
    """Yield every node below ``node`` that may be changed, depth first, with its site."""
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "type_params", "bases"):
            continue
        items = list(enumerate(value)) if isinstance(value, list) else [(None, value)]
        for index, child in items:
            if not isinstance(child, ast.AST) or _left_out(child, node, field):
                continue
            around = child if isinstance(child, ast.stmt) else statement
            yield _Site(_Place(node, field, index), around, ".".join(names)), child
            if isinstance(child, ast.Raise):
                continue
            named = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            inner = (*names, child.name) if named else names  # type: ignore[attr-defined]
            yield from _walk(child, around, inner)


def _left_out(node: ast.AST, parent: ast.AST, field: str) -> bool:
    if isinstance(node, ast.Import | ast.ImportFrom | ast.Assert | ast.JoinedStr | ast.Delete):
        return True
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True  # a docstring
    if isinstance(node, ast.Assign | ast.AnnAssign):
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        alias = isinstance(node, ast.AnnAssign) and "TypeAlias" in ast.unparse(node.annotation)
        return alias or (isinstance(target, ast.Name) and target.id == "__all__")
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        return True
    if field == "decorator_list":
        return not _STORING.isdisjoint(_name(node).split("."))
    return isinstance(parent, ast.Call) and _name(parent.func) in _TYPING


def _name(node: ast.AST) -> str:
    """Return the dotted name of a function or of the function that is called, or ``""``."""
    if isinstance(node, ast.Call):
        return _name(node.func)
    if isinstance(node, ast.Attribute):
        return f"{_name(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


# -- mutators ------------------------------------------------------------------------------------


def _edits(site: _Site, node: ast.AST) -> Iterator[Edit]:
    for mutator in _MUTATORS:
        for name, new in mutator(node, site):
            if new is not None and not hasattr(new, "lineno"):
                ast.copy_location(new, node)
            yield name, new


def _comparison(node: ast.AST, _: _Site) -> Iterator[Edit]:
    if isinstance(node, ast.Compare):
        for i, operator in enumerate(node.ops):
            for name, other in _COMPARISONS[type(operator)]:
                ops = [*node.ops[:i], other(), *node.ops[i + 1 :]]
                yield name, ast.Compare(node.left, ops, node.comparators)


def _arithmetic(node: ast.AST, _: _Site) -> Iterator[Edit]:
    if isinstance(node, ast.BinOp):
        yield "arithmetic", ast.BinOp(node.left, _ARITHMETIC[type(node.op)](), node.right)
    elif isinstance(node, ast.AugAssign):
        operator = _ARITHMETIC[type(node.op)]()
        yield "arithmetic", ast.AugAssign(node.target, operator, node.value)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Invert):
        yield "arithmetic", node.operand


def _constant(node: ast.AST, _: _Site) -> Iterator[Edit]:
    value = node.value if isinstance(node, ast.Constant) else None
    if isinstance(value, bool):
        yield "constant", ast.Constant(not value)
    elif isinstance(value, int):
        yield "constant", ast.Constant(value + 1)
        yield "constant", ast.Constant(value - 1)
    elif isinstance(value, float) and math.isfinite(value):
        near = value == 0 or 0.01 <= abs(value) <= 100
        yield "constant", ast.Constant(value + 1 if near else value * 1000)
        yield "constant", ast.Constant(value - 1 if near else value / 1000)


def _logic(node: ast.AST, _: _Site) -> Iterator[Edit]:
    if isinstance(node, ast.BoolOp):
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield "logic", ast.BoolOp(other, node.values)
        for i in range(len(node.values)):
            rest = node.values[:i] + node.values[i + 1 :]
            yield "logic", rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "logic", node.operand


def _condition(node: ast.AST, site: _Site) -> Iterator[Edit]:
    parent, field = site.place.parent, site.place.field
    if field == "test" and isinstance(parent, ast.If | ast.IfExp):
        yield "condition", ast.Constant(True)
        yield "condition", ast.Constant(False)
    elif field == "test" and isinstance(parent, ast.While):
        yield "condition", ast.Constant(False)
    elif field == "ifs":
        yield "condition", None


def _return(node: ast.AST, _: _Site) -> Iterator[Edit]:
    if isinstance(node, ast.Return) and not isinstance(node.value, ast.Constant | None):
        yield "return", ast.Return(ast.Constant(None))


def _arguments(node: ast.AST, _: _Site) -> Iterator[Edit]:
    if not isinstance(node, ast.Call) or _name(node.func).rpartition(".")[2] in _UNORDERED:
        return
    args = node.args
    for i in range(len(args) - 1):
        pair = args[i : i + 2]
        if any(isinstance(a, ast.Starred) for a in pair) or ast.dump(pair[0]) == ast.dump(pair[1]):
            continue
        swapped = [*args[:i], *reversed(pair), *args[i + 2 :]]
        yield "arguments", ast.Call(node.func, swapped, node.keywords)


def _statement(node: ast.AST, _: _Site) -> Iterator[Edit]:
    call = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    if call or isinstance(node, ast.AugAssign | ast.Raise | ast.Break | ast.Continue):
        yield "statement", None
    elif isinstance(node, ast.Assign):
        target = node.targets[0]
        names = {n.id for n in ast.walk(node.value) if isinstance(n, ast.Name)}
        if not isinstance(target, ast.Name | ast.Tuple) or (
            isinstance(target, ast.Name) and target.id in names
        ):
            yield "statement", None


_MUTATORS: tuple[Callable[[ast.AST, _Site], Iterator[Edit]], ...] = (
    _comparison,
    _arithmetic,
    _constant,
    _logic,
    _condition,
    _return,
    _arguments,
    _statement,
)

# -- text ----------------------------------------------------------------------------------------


def _changed(site: _Site, edit: Edit) -> ast.AST | None:
    """Return a copy of the site's statement with the change made."""
    if edit[1] is None and _at(site.place) is site.statement:
        return None
    if _at(site.place) is site.statement:
        return edit[1]
    marked = _at(site.place)
    memo: dict[int, object] = {id(marked): copy.deepcopy(edit[1])}
    if edit[1] is None:  # a filter of a comprehension
        parent = copy.deepcopy(site.place.parent)
        _Place(parent, site.place.field, site.place.index).put(None)
        memo = {id(site.place.parent): parent}
    return copy.deepcopy(site.statement, memo)


def _at(place: _Place) -> ast.AST:
    value = getattr(place.parent, place.field)
    node: ast.AST = value if place.index is None else value[place.index]
    return node


def _header(statement: ast.AST) -> list[ast.AST]:
    """Return the statement, or the parts of a compound one that precede its blocks."""
    parts = [
        child
        for field, value in ast.iter_fields(statement)
        if field not in ("body", "orelse", "handlers", "finalbody", "cases", "returns")
        for child in (value if isinstance(value, list) else [value])
        if isinstance(child, ast.AST)
    ]
    return parts if hasattr(statement, "body") and parts else [statement]


def _shown(statement: ast.AST | None) -> str:
    if statement is None:
        return ""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
        short = copy.copy(statement)
        short.body = [ast.Expr(ast.Constant(...))]
        return ast.unparse(ast.fix_missing_locations(short))
    parts = _header(statement)
    if parts == [statement]:
        return ast.unparse(statement)
    return f"{type(statement).__name__.lower()} {', '.join(map(ast.unparse, parts))}"
