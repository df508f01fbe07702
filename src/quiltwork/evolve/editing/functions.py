"""One Python function as a small model continues it: cut out of the reply with `ast`, spliced into the block.

The form is FunSearch's (Romera-Paredes et al., Nature 625, 2024): earlier versions `f_v0`, `f_v1`, then the header of the
next one. What is kept of a reply is the body of that function, and nothing else.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from dataclasses import dataclass
from functools import lru_cache

from quiltwork.evolve.editing.refusal import EditRefused, numbered
from quiltwork.evolve.editing.splice import (
    AROUND,
    checked,
    lines_of,
    normal_text,
    python_error,
    with_blocks,
)
from quiltwork.evolve.program import Block, Program, blocks
from quiltwork.evolve.source import parse

MOST_CUTS = 16
"""Ends of the function that are tried: a line at the margin may stand in a string or in brackets, seldom more than a few."""

FUNCTION_CHARS = 100_000
"""Of an answer as it is looked at for its function: every end that is tried costs a parse."""


@dataclass(frozen=True, slots=True)
class Target:
    """A function at the top level of a file, in a block: `header` up to its colon, `docstring` as source, then `body`.

    `first` and `last` are its lines, from 1, without decorators. `indent` is that of its body.
    """

    path: str
    name: str
    first: int
    last: int
    header: str
    docstring: str
    body: str
    indent: str

    @property
    def text(self) -> str:
        """The whole function."""
        return self.with_body(self.body)

    def with_body(self, body: str, docstring: str | None = None) -> str:
        """The function with another body (at this one's indentation) and, where given, another docstring."""
        docstring = self.docstring if docstring is None else docstring
        return f"{self.header}\n" + (f"{self.indent}{docstring}\n" if docstring else "") + body.rstrip() + "\n"

    def version(self, number: int) -> str:
        """What the function is called as one of several versions."""
        return f"{self.name}_v{number}"

    def renamed(self, text: str, name: str) -> str:
        """The text with this function's definition and the calls to it under another name."""
        return re.sub(rf"(?<![\w.]){re.escape(self.name)}(?=\s*\()", name, text)


@lru_cache(maxsize=512)
def targets(program: Program) -> tuple[Target, ...]:
    """All functions at the top level of Python files that lie wholly in a block, in the order of files and lines."""
    found: list[Target] = []
    for path, text in program.files.items():
        inside = [block for block in blocks(program) if block.path == path and block.first <= block.last]
        tree = parse(text) if path.endswith(".py") and inside else None
        lines = lines_of(text)
        for node in tree.body if tree else ():
            if isinstance(node, ast.FunctionDef) and any(
                block.first <= node.lineno and (node.end_lineno or 0) <= block.last for block in inside
            ):
                found += _target(path, node, "\n".join(lines[node.lineno - 1 : node.end_lineno]))
    return tuple(found)


def continued(program: Program, target: Target, reply: str, number: int, *, cut_off: bool = False) -> Program:
    """The program with a function's body exchanged for the reply's; `number` is the version that the model was asked for.

    The reply goes on after the function's header, or begins with a whole function of that name. Raises `EditRefused`.
    """
    wanted = target.version(number)
    text, ended = _function(_candidate(target, normal_text(reply), wanted), target.path)
    if cut_off and not ended:
        raise EditRefused("the answer was cut off inside the function")
    node = _parsed(text)
    assert node is not None
    if _parameters(node) != _parameters(_header_of(target)):
        raise EditRefused(f"it changes the parameters of {target.name}")
    new = _target(target.path, node, text)
    if not new or not new[0].body.strip():
        raise EditRefused(f"it leaves {target.name} without a body")
    body = re.sub(rf"\b{re.escape(wanted)}\b", target.name, new[0].body)
    earlier = re.search(rf"\b{re.escape(target.name)}_v\d+\b", body)
    if earlier and earlier[0] not in target.body:
        raise EditRefused(f"it calls {earlier[0]}, which is not part of the program")
    own = new[0].docstring if "Improved version of" not in new[0].docstring else ""
    child = target.with_body(_moved(body, new[0].indent, target.indent), own or target.docstring)
    return checked(program, with_blocks(program, {Block(target.path, target.first, target.last): child}))


def _moved(body: str, old: str, new: str) -> str:
    """A body at another indentation. Comments at the margin stay there."""
    if old == new:
        return body
    return "\n".join(new + line[len(old) :] if line.startswith(old) else line for line in body.split("\n"))


def _candidate(target: Target, reply: str, wanted: str) -> str:
    """The text that begins with the function: the reply's own definition, or the known header and the reply as its body."""
    body = reply.lstrip("\n")
    if body[:1] not in (" ", "\t"):
        names = "|".join(re.escape(name) for name in (wanted, target.name))
        own = re.search(rf"^def[ \t]+(?:{names})[ \t]*\(", body, re.MULTILINE)
        if own:
            return body[own.start() :]
        body = target.indent + body  # servers that strip an answer take the first line's indentation with it
    return f"{target.header}\n{body}"


def _function(text: str, path: str) -> tuple[str, bool]:
    """The shortest beginning of a text that is a function, and whether something at the margin follows it."""
    text = text[:FUNCTION_CHARS] + "\n"
    starts = [found.start() for found in re.finditer(r"^(?=[^\s#)\]}])", text, re.MULTILINE)]
    ends = [*starts[1 : MOST_CUTS + 1], len(text)]
    for end in ends:
        if _parsed(text[:end]) is not None:
            return text[:end], end < len(text)
    shortest = text[: ends[0]]
    line, message = python_error(shortest) or (0, "no function")
    shown = numbered(shortest.split("\n"), line - AROUND, line + AROUND, marked=line)
    raise EditRefused(f"{path}: no valid Python: {message} (line {line} of the function)", shown)


def _parsed(text: str) -> ast.FunctionDef | None:
    tree = parse(text)
    found = tree.body[0] if tree is not None and len(tree.body) == 1 else None
    return found if isinstance(found, ast.FunctionDef) else None


def _header_of(target: Target) -> ast.FunctionDef:
    found = _parsed(target.text)
    assert found is not None, "a target was parsed before"
    return found


def _parameters(node: ast.FunctionDef) -> list[str]:
    rest = [each for each in (node.args.vararg, node.args.kwarg) if each is not None]
    return [each.arg for each in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, *rest)]


def _target(path: str, node: ast.FunctionDef, text: str) -> list[Target]:
    """Take a function apart; nothing where its lines alone are no function (code that shares a line with it)."""
    alone = _parsed(text)
    colon = _end_of_header(text)
    if alone is None or colon is None:
        return []
    lines = text.split("\n")
    first = alone.body[0]
    own_line = first.lineno > colon[0]
    indent = _before(lines, first.lineno, first.col_offset) if own_line else "    "
    if own_line:
        header, line, rest = "\n".join(lines[: colon[0]]), colon[0], ""
    else:
        line, column = colon
        header, rest = "\n".join([*lines[: line - 1], lines[line - 1][:column]]), lines[line - 1][column:]
    docstring = ""
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        docstring = ast.get_source_segment(text, first) or ""
        line = first.end_lineno or first.lineno
        rest = lines[line - 1][len(_before(lines, line, first.end_col_offset or 0)) :]
    rest = rest.strip(" \t;")
    body = "\n".join([*([indent + rest] if rest and not rest.startswith("#") else []), *lines[line:]])
    end = node.end_lineno or node.lineno
    found = Target(path, node.name, node.lineno, end, header, docstring, body, indent)
    return [found] if _parsed(found.text) is not None else []


def _before(lines: list[str], line: int, column: int) -> str:
    """What stands on a line before a column that counts UTF-8 bytes, as those of syntax trees do."""
    return lines[line - 1].encode("utf-8")[:column].decode("utf-8")


def _end_of_header(text: str) -> tuple[int, int] | None:
    """Line (from 1) and column behind the colon of a function's header."""
    depth = 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.OP:
                depth += (token.string in "([{") - (token.string in ")]}")
                if token.string == ":" and depth == 0:
                    return token.end
    except (tokenize.TokenError, SyntaxError):
        return None
    return None
