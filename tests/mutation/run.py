"""Change one thing at a time in money and rules, and see whether a test notices: `python tests/mutation/run.py`.

Of modules that are named only: `run.py money.py rules/fees.py`; `--most N` draws N changes of each with a fixed seed.
What no test noticed is listed; of what stands in `nothing.toml` it is known that it changes nothing, and why.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.abc
import importlib.machinery
import os
import random
import re
import resource
import signal
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "medpay_cli"
RECORD, TOGETHER = "tests/unit/test_rules.py", "tests/rules/test_together_cases.py"
MONEY = "tests/unit/test_money.py"
PROFILES = "tests/rules/test_profiles.py"
# The tests of each module, those that notice soonest first. Of modules of rules the cases of their codes alone.
TESTS = {
    "money.py": (MONEY, RECORD),
    "rules/__init__.py": (RECORD, PROFILES),
    "rules/sentences.py": (RECORD,),
    "rules/settlements.py": (RECORD,),
    "rules/fees.py": (RECORD,),
    "rules/claims.py": (RECORD,),
    "rules/dates.py": (RECORD,),
    "rules/persons.py": (RECORD,),
    "rules/codes.py": (RECORD,),
    "rules/prices.py": (RECORD,),
    "rules/together.py": (TOGETHER, PROFILES),
    "rules/batches.py": (TOGETHER,),
    "rules/ledgers.py": (TOGETHER,),
    "rules/periods.py": (TOGETHER,),
}
# Tried by all of their tests, not by those of the codes that they state.
SHARED = ("money.py", "rules/__init__.py", "rules/sentences.py", "rules/together.py")
SEED = 6
# Tests that are run of every code.
OF_ONE_CODE = "cases_of_a_rule or example"
# What every child process finds imported; our own package is not.
LIBRARIES = ("click", "jsonschema", "lxml.etree", "numpy", "polars")
# Seconds, of the clock and of work: a change that makes a test hang is noticed, a busy machine is not.
LONGEST, MOST_WORK = 900, 120

COMPARISONS: dict[type, tuple[type, ...]] = {
    ast.Lt: (ast.LtE, ast.Gt), ast.LtE: (ast.Lt, ast.GtE), ast.Gt: (ast.GtE, ast.Lt), ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,),
}  # fmt: skip
OPERATORS: dict[type, type] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.FloorDiv: ast.Mult, ast.Div: ast.Mult, ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
NAMES = {
    "any_horizontal": "all_horizontal", "is_null": "is_not_null", "min": "max", "min_horizontal": "max_horizontal",
    "first": "last", "any": "all", "starts_with": "ends_with", "cum_max": "cum_min", "sum": "max", "len": "count",
}  # fmt: skip
NAMES |= {new: old for old, new in NAMES.items() if old not in ("sum", "len")}
# Methods that are left out, with what they are called on staying.
DROPPED = {
    "fill_null", "abs", "filter", "drop_nulls", "sign", "unique", "over", "cast", "sort", "shift", "is_not_null",
    "slice", "str",
}  # fmt: skip
# Calls of which every argument matters.
TERMS = {
    "equal", "at_most", "filter", "all_horizontal", "any_horizontal", "concat_str", "is_code", "group_by", "agg",
    "over", "whole_parts", "select", "coalesce",
}  # fmt: skip
WORDS = {"left": "inner", "inner": "left", "anti": "semi", "semi": "anti"}


def name_of(call: ast.Call) -> str:
    """What is called."""
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def constants(node: ast.Constant) -> Iterator[tuple[str, ast.expr]]:
    value = node.value
    if isinstance(value, bool):
        yield f"{not value}", ast.Constant(not value)
    elif isinstance(value, int):
        for other in (value + 1, value - 1):
            yield f"{other}", ast.Constant(other)
    elif isinstance(value, str) and value in WORDS:
        yield WORDS[value], ast.Constant(WORDS[value])
    elif isinstance(value, str) and re.fullmatch(r"[0-9A-Z]{1,8}", value):
        yield f"{value}7", ast.Constant(f"{value}7")


def calls(node: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    name = name_of(node)
    if isinstance(node.func, ast.Attribute):
        if name in NAMES:
            changed = ast.Attribute(node.func.value, NAMES[name], ast.Load())
            yield NAMES[name], ast.Call(changed, node.args, node.keywords)
        if name in DROPPED:
            yield f"no {name}", node.func.value
        if name == "when":
            yield "when not", ast.Call(node.func, [ast.UnaryOp(ast.Invert(), node.args[0])], node.keywords)
    if name in TERMS:
        for number in range(len(node.args) if len(node.args) > 1 else 0):
            kept = node.args[:number] + node.args[number + 1 :]
            yield f"without argument {number + 1}", ast.Call(node.func, kept, node.keywords)
    for one in node.keywords if name in ("equal", "at_most", "true", "Sentence") else ():
        kept_words = [other for other in node.keywords if other is not one]
        yield f"without {one.arg}", ast.Call(node.func, node.args, kept_words)


def changes(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """What may stand in the place of a node, and how that reads."""
    if isinstance(node, ast.Compare):
        for number, operator in enumerate(node.ops):
            for other in COMPARISONS.get(type(operator), ()):
                ops = [*node.ops[:number], other(), *node.ops[number + 1 :]]
                yield other.__name__, ast.Compare(node.left, ops, node.comparators)
    elif isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        other = OPERATORS[type(node.op)]
        yield other.__name__, ast.BinOp(node.left, other(), node.right)
        yield "left alone", node.left
        yield "right alone", node.right
    elif isinstance(node, ast.UnaryOp):
        yield f"no {type(node.op).__name__}", node.operand
    elif isinstance(node, ast.BoolOp):
        other = ast.Or if isinstance(node.op, ast.And) else ast.And
        yield other.__name__, ast.BoolOp(other(), node.values)
        for number in range(len(node.values)):
            kept = [value for at, value in enumerate(node.values) if at != number]
            yield f"without part {number + 1}", kept[0] if len(kept) == 1 else ast.BoolOp(node.op, kept)
    elif isinstance(node, (ast.If, ast.While)):
        yield "not", type(node)(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)
    elif isinstance(node, ast.IfExp):
        yield "not", ast.IfExp(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)
    elif isinstance(node, ast.Constant):
        yield from constants(node)
    elif isinstance(node, ast.Call):
        yield from calls(node)


def mutants(source: str) -> Iterator[tuple[int, str, ast.Module]]:
    """Every change of a module: line, what is changed into what, and the whole with it."""
    for number, (_, _, node, around) in enumerate(places(ast.parse(source))):
        for choice, (how, _) in enumerate(changes(node)):
            tree = ast.parse(source)
            set_in, key, same, _ = places(tree)[number]
            set_in(key, list(changes(same))[choice][1])
            text = " ".join(ast.unparse(node).split())[:90]
            if isinstance(node, ast.Constant):
                text = f"{' '.join(ast.unparse(around).split())[:60]}: {text}"
            yield getattr(node, "lineno", 0), f"{text} => {how}", ast.fix_missing_locations(tree)


def places(tree: ast.AST) -> list[tuple[Callable[[object, ast.AST], None], object, ast.AST, ast.AST]]:
    """Every node that says what is done, and the one around it: no annotations, docstrings, imports, and nothing of
    how a dataclass is made."""
    found = []

    def visit(node: ast.AST) -> None:
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "ctx") or isinstance(node, (ast.Import, ast.ImportFrom)):
                continue
            if isinstance(value, list):
                for at, one in enumerate(value):
                    is_text = isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant)
                    is_made = isinstance(one, ast.Call) and name_of(one) == "dataclass"
                    if isinstance(one, ast.AST) and not is_text and not is_made:
                        found.append((value.__setitem__, at, one, node))
                        visit(one)
            elif isinstance(value, ast.AST):
                found.append((lambda key, new, node=node: setattr(node, key, new), name, value, node))
                visit(value)

    visit(tree)
    return found


class Instead(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module as it was changed."""

    def __init__(self, module: str, path: Path, tree: ast.Module) -> None:
        self.module, self.path, self.tree = module, path, tree

    def find_spec(self, name, path=None, target=None):
        if name != self.module:
            return None
        is_package = self.path.name == "__init__.py"
        spec = importlib.machinery.ModuleSpec(name, self, origin=str(self.path), is_package=is_package)
        if is_package:
            spec.submodule_search_locations = [str(self.path.parent)]
        spec.has_location = True
        return spec

    def exec_module(self, module):
        exec(compile(self.tree, str(self.path), "exec"), module.__dict__)  # noqa: S102


def is_noticed(name: str, tree: ast.Module, tests: list[str]) -> bool:
    """Whether a test fails, in a process that has imported everything but our own package."""
    child = os.fork()
    if child == 0:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        signal.alarm(LONGEST)
        resource.setrlimit(resource.RLIMIT_CPU, (MOST_WORK, MOST_WORK))
        module = "medpay_cli." + name.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        sys.meta_path.insert(0, Instead(module, PACKAGE / name, tree))
        try:
            code = pytest.main(["-x", "-q", "-n", "0", "-p", "no:cacheprovider", "--no-header", *tests])
        except BaseException:
            code = 1
        os._exit(int(code) % 256)
    _, status = os.waitpid(child, 0)
    return status != 0


def chosen(name: str) -> list[str]:
    """The tests of a module as words of pytest's command line."""
    source = (PACKAGE / name).read_text(encoding="utf-8")
    codes = sorted(set(re.findall(r'@?(?:rule|for_fields|together)\(\s*"([BC][0-9]{3})"', source)))
    return [
        *TESTS[name],
        *(["-k", f"{' or '.join(codes)} or not ({OF_ONE_CODE})"] if codes and name not in SHARED else []),
    ]


def known(name: str) -> set[str]:
    """The changes of a module that change nothing."""
    said = tomllib.loads((Path(__file__).parent / "nothing.toml").read_text(encoding="utf-8"))
    return {one["change"] for one in said.get(name, ())}


def run(name: str, most: int, only: str) -> None:
    """Try the changes of a module, and tell what no test noticed."""
    source = (PACKAGE / name).read_text(encoding="utf-8")
    made = [one for one in mutants(source) if re.search(only, f"{one[0]}: {one[1]}")]
    every, tests, same = len(made), chosen(name), known(name)
    if is_noticed(name, ast.parse(source), tests):
        raise SystemExit(f"{name}: its tests fail as it is")
    if most and every > most:
        made = sorted(random.Random(SEED).sample(made, most), key=lambda one: one[:2])  # noqa: S311
    began, noticed, nothing = time.monotonic(), 0, 0
    for line, change, tree in made:
        if is_noticed(name, tree, tests):
            noticed += 1
        elif change in same:
            nothing += 1
        else:
            print(f"  {name}:{line}: {change}", flush=True)
    took = time.monotonic() - began
    print(
        f"{name}: {noticed} of {len(made)} noticed, {nothing} change nothing; {every} in all, {took:.0f} s", flush=True
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("modules", nargs="*", default=list(TESTS))
    parser.add_argument("--most", type=int, default=0, help="of each module")
    parser.add_argument("--only", default="", help="a pattern of 'line: change'")
    said = parser.parse_args()
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT / "src"))
    sys.dont_write_bytecode = True
    for name in LIBRARIES:
        importlib.import_module(name)
    for name in said.modules:
        run(name, said.most, said.only)


if __name__ == "__main__":
    main()
