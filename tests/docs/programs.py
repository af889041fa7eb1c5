"""The two commands as click knows them: what each takes, and whether a line of it parses."""

from __future__ import annotations

import shlex
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import click

from landline.cli.main import landline
from landline.cli.options import Settings
from landline_broker.cli import main as landline_broker

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from tests.docs.page import Page

PROGRAMS: dict[str, click.Group] = {"landline": landline, "landline-broker": landline_broker}
PREFIXES = {"landline": "LANDLINE", "landline-broker": "LANDLINE_BROKER"}


def contexts(program: str) -> Iterator[tuple[str, click.Context]]:
    """Yield each command's name and context; the program itself has an empty name."""
    group = PROGRAMS[program]
    whole = click.Context(group, info_name=program, **group.context_settings)
    yield "", whole
    for name, command in group.commands.items():
        yield name, click.Context(command, info_name=name, parent=whole)


def takes(program: str) -> dict[str, set[str]]:
    """Return for each spelling of an option the commands that take it."""
    found: dict[str, set[str]] = {}
    for name, ctx in contexts(program):
        for param in ctx.command.get_params(ctx):
            if isinstance(param, click.Option):
                for spelling in param.opts:
                    found.setdefault(spelling, set()).add(name)
    return found


def usages(program: str) -> set[str]:
    """Return each command with its arguments, as a reference writes it."""
    return {" ".join([program, *_words(name, ctx)]) for name, ctx in contexts(program)}


def variables(program: str) -> set[str]:
    """Return every environment variable that stands for an option."""
    found = set()
    for name, ctx in contexts(program):
        prefix = "_".join([PREFIXES[program], *([name.upper()] if name else [])])
        for param in ctx.command.params:
            if isinstance(param, click.Option) and param.name is not None:
                found.add(f"{prefix}_{param.name.upper()}")
                found |= {param.envvar} if isinstance(param.envvar, str) else set()
    return found


def command_lines(page: Page) -> list[list[str]]:
    """Return each call of the two commands that stands in a page's blocks of code."""
    found = []
    for block in page.blocks:
        for line in block.code.splitlines():
            command = line.partition("$ ")[2] or line.removeprefix("ExecStart=")
            found += [words for words in _split(command) if words and words[0] in PROGRAMS]
    return found


def parse(argv: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Parse a command line and do nothing; raises what click raises."""
    group = PROGRAMS[argv[0]]
    with monkeypatch.context() as patch:
        for command in (group, *group.commands.values()):
            patch.setattr(command, "callback", _nothing)
        try:
            group.main(argv[1:], prog_name=argv[0], standalone_mode=False, obj=Settings())
        except SystemExit as end:
            if end.code:
                raise


def _words(name: str, ctx: click.Context) -> Iterator[str]:
    if name:
        yield name
    for param in ctx.command.params:
        if isinstance(param, click.Argument):
            word = param.human_readable_name.upper()
            yield word if param.required else f"[{word}]"


def _split(line: str) -> Iterator[list[str]]:
    """Split a line of shell at its pipes and lists, and leave out redirections."""
    try:
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&<>")
        lexer.whitespace_split = True
        tokens = list(lexer)
    except ValueError:
        return  # an apostrophe: it is no shell
    words: list[str] = []
    for token in [*tokens, "&&"]:
        if token in {"|", "&&"}:
            if "<" in words or ">" in words:
                words = words[: min(words.index(mark) for mark in "<>" if mark in words)]
            yield [PurePosixPath(words[0]).name, *words[1:]] if words else []
            words = []
        else:
            words.append(token)


def _nothing(*_: object, **__: object) -> None:
    """Stand for a command."""
