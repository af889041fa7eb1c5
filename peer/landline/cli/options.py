"""The options that every command takes, before or after its name, and ``config.toml``.

What is given on the command line counts more than the environment, and that
more than the file. It opens no peer before a command asks for one.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from landline.archive import Archive
    from landline.cli.output import Output
    from landline.peer import Peer

F = TypeVar("F", bound=Callable[..., Any])

_GIVEN = frozenset({ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT})
_IN_FILE: dict[str, type] = {
    "broker": str,
    "json": bool,
    "debug": bool,
    "no_history": bool,
    "redial": int,
}
_REDIAL_MOST = 86_400


@dataclass
class Settings:
    """What the common options and the file say."""

    given: dict[str, Any] = field(default_factory=dict)
    file: dict[str, Any] = field(default_factory=dict)

    @property
    def home(self) -> Path | None:
        home: Path | None = self.given.get("home")
        return home

    @property
    def broker(self) -> str | None:
        broker: str | None = self._value("broker")
        # The whole line that the broker prints will do.
        return broker if broker is None else broker.strip().removeprefix("ready ")

    @property
    def json(self) -> bool:
        return bool(self._value("json"))

    @property
    def debug(self) -> bool:
        return bool(self._value("debug"))

    @property
    def keep_history(self) -> bool:
        return not self._value("no_history")

    @property
    def redial_s(self) -> float | None:
        """How many seconds to redial; ``None`` if nobody has said."""
        redial: float | None = self._value("redial")
        return redial

    def archive(self, output: "Output") -> "Archive":
        """Return what this home holds, for a command that needs no network."""
        from landline.archive import Archive, silent

        # With --json stdout has nothing but what was asked for.
        return Archive(self.home, self.broker, notice=silent if output.json else output.notice)

    def peer(self, output: "Output") -> "Peer":
        """Return the peer of this home; its notices go to ``output``."""
        from landline.peer import Peer

        wishes: dict[str, Any] = {}
        if self.redial_s is not None:
            wishes["redial_s"] = self.redial_s
        if not self.keep_history:
            wishes["keep_history"] = False
        return Peer(self.home, self.broker, notice=output.notice, **wishes)

    def _value(self, name: str) -> Any:
        return self.given.get(name, self.file.get(name))


def common(command: F) -> F:
    """Add the common options to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def no_history(command: F) -> F:
    """Add the option of those who talk and do not want it kept."""
    return click.option(
        "--no-history",
        is_flag=True,
        expose_value=False,
        callback=_keep,
        help="Keep no message of these conversations here once it is delivered, or shown.",
    )(command)


def redial(command: F) -> F:
    """Add the option of those who hold a conversation."""
    return click.option(
        "--redial",
        metavar="SECONDS",
        type=click.IntRange(0, _REDIAL_MOST),
        expose_value=False,
        callback=_keep,
        help="How long to seek a connection that is lost; 0: not at all. [default: 120]",
    )(command)


def _keep(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    assert param.name is not None
    source = ctx.get_parameter_source(param.name)
    if source in _GIVEN:
        _settings(ctx).given[param.name] = value
    elif source is ParameterSource.DEFAULT_MAP:
        # The command's own section counts more than what the file says of all.
        _settings(ctx).file[param.name] = value


def _keep_home(ctx: click.Context, param: click.Parameter, value: Path | None) -> None:
    """Note the home, and read its file before the options that it may set."""
    _keep(ctx, param, value)
    if value is None and ctx.parent is not None:
        return
    from landline.places import default_home

    settings = _settings(ctx)
    path = (default_home() if value is None else value.expanduser()) / "config.toml"
    read = _read(path)
    settings.file = {name: read[name] for name in _IN_FILE if name in read}
    sections = {name: of for name, of in read.items() if name not in _IN_FILE}
    _check(ctx, path, settings.file, sections)
    ctx.find_root().default_map = sections
    if ctx.parent is not None:
        ctx.default_map = sections.get(str(ctx.info_name))


def _read(path: Path) -> dict[str, Any]:
    try:
        octets = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise click.FileError(str(path), error.strerror) from None
    import tomllib

    try:
        return tomllib.loads(octets.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{path} is no TOML: {error}; mend it or remove it") from None


def _check(
    ctx: click.Context, path: Path, values: dict[str, Any], sections: dict[str, Any]
) -> None:
    """Refuse what no command would ever read: it is a slip of the pen."""
    for name, value in values.items():
        # A bool is an int, too, but not here.
        if type(value) is not _IN_FILE[name]:
            raise click.UsageError(f"{path}: {name} is a {_IN_FILE[name].__name__}, not {value!r}")
        if name == "redial" and value not in range(_REDIAL_MOST + 1):
            raise click.UsageError(f"{path}: redial is from 0 to {_REDIAL_MOST} seconds")
    group = ctx.find_root().command
    assert isinstance(group, click.Group)
    for name, section in sections.items():
        command = group.commands.get(name)
        if command is None or not isinstance(section, dict):
            raise click.UsageError(f"{path}: there is no setting {name!r}")
        known = {option.name for option in command.params if isinstance(option, click.Option)}
        if unknown := section.keys() - known:
            raise click.UsageError(f"{path}: there is no setting {min(unknown)!r} in [{name}]")


def _settings(ctx: click.Context) -> Settings:
    settings = ctx.find_root().obj
    assert isinstance(settings, Settings)
    return settings


_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "--home",
        metavar="DIR",
        type=click.Path(path_type=Path, file_okay=False),
        is_eager=True,
        expose_value=False,
        callback=_keep_home,
        help="Where this peer keeps its key, its history and its settings.",
    ),
    click.option(
        "--broker",
        metavar="INVITE",
        expose_value=False,
        callback=_keep,
        help="The broker's invite, landline://…; remembered after the first success.",
    ),
    click.option(
        "--json",
        is_flag=True,
        expose_value=False,
        callback=_keep,
        help="Print one JSON object a line on stdout.",
    ),
    click.option(
        "--debug",
        is_flag=True,
        expose_value=False,
        callback=_keep,
        help="Show the traceback of an error.",
    ),
)
