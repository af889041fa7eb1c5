"""The ``landline-broker`` command: parses, builds settings, calls one function, prints.

Exceptions become exit statuses here and nowhere else: 2 for usage, 1 for
everything else, one line on stderr that says what to do next.
"""

import logging
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import augment_usage_errors

if TYPE_CHECKING:
    from landline_broker.settings import Settings

    _ParamType = click.ParamType[Any]
else:
    _ParamType = click.ParamType  # generic since click 8.3 only

F = TypeVar("F", bound=Callable[..., Any])

_LOG_LEVELS = ["debug", "info", "warning", "error"]


def _default_data_dir() -> Path:
    from platformdirs import user_data_path

    return user_data_path("landline-broker", appauthor=False)


_data_dir = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="LANDLINE_BROKER_DATA_DIR",
    show_envvar=True,
    default=_default_data_dir,
    show_default="where this user's programs keep data",
    help="The broker's key and, unless --database says otherwise, its database.",
)
_database = click.option(
    "--database",
    metavar="URL",
    envvar="LANDLINE_BROKER_DATABASE",
    show_envvar=True,
    help="mysql://USER:PASSWORD@HOST/NAME or sqlite:////PATH. A password is safer in"
    " the environment variable than in the arguments, which others can see."
    "  [default: a file in the data directory]",
)


class _Listen(_ParamType):
    name = "tcp://ADDRESS:PORT"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        from landline_broker.address import BadAddress, Listen

        try:
            return value if isinstance(value, Listen) else Listen.parse(value)
        except BadAddress as error:
            self.fail(str(error), param, ctx)


class _Host(_ParamType):
    name = "HOST"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        from landline_broker.address import BadAddress, published_host

        try:
            return published_host(value)
        except BadAddress as error:
            self.fail(str(error), param, ctx)


class _Name(_ParamType):
    name = "TEXT"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if 0 < len(value) <= 64 and value.isprintable():
            return value
        return self.fail("a broker's name has 1 to 64 printable characters", param, ctx)


class _Ports(_ParamType):
    name = "FIRST-LAST"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        from landline_protocol.limits import PORT_MAX

        if isinstance(value, range):
            return value
        first, dash, last = value.partition("-")
        if dash and first.isdecimal() and last.isdecimal():
            ports = range(int(first), int(last) + 1)
            if ports and ports[0] > 0 and ports[-1] <= PORT_MAX:
                return ports
        return self.fail("write two ports, the first not above the last: 20000-32767", param, ctx)


class _Command(click.Command):
    """Is named by every error in how it is used, also by those that the parser finds."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        with augment_usage_errors(ctx):
            return super().parse_args(ctx, args)


class _Group(click.Group):
    """Turns what goes wrong into one line and an exit status."""

    command_class = _Command

    def main(self, *arguments: Any, **options: Any) -> Any:
        try:
            status = super().main(*arguments, **(options | {"standalone_mode": False}))
        except click.UsageError as error:
            status = _said(_usage(error), error.exit_code)
        except click.ClickException as error:
            status = _said(error.format_message(), error.exit_code)
        except click.Abort:
            status = 1
        sys.exit(status)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.ClickException, click.Abort):
            raise
        except Exception as error:
            if ctx.params.get("debug"):
                raise
            raise click.ClickException(_line(error)) from None


@click.group(
    cls=_Group,
    context_settings={
        "auto_envvar_prefix": "LANDLINE_BROKER",
        "help_option_names": ["-h", "--help"],
    },
)
@click.version_option(package_name="landline", prog_name="landline-broker")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def main(debug: bool) -> None:
    """Run a Landline broker: who is who, and where each can be reached."""


@main.command()
@click.option(
    "--listen",
    type=_Listen(),
    metavar="tcp://ADDRESS:PORT",
    default="tcp://*:7720",
    show_default=True,
    help="Where peers connect; * is every address, IPv4 and IPv6; port 0 is any free one.",
)
@_database
@_data_dir
@click.option(
    "--advertise",
    type=_Host(),
    help="The host in the invite.  [default: this machine's address on the network]",
)
@click.option(
    "--name",
    type=_Name(),
    default="landline-broker",
    show_default=True,
    help="What the broker calls itself.",
)
@click.option(
    "--ports",
    type=_Ports(),
    default="20000-32767",
    show_default=True,
    help="The ports that new users are assigned.",
)
@click.option(
    "--auth-threads",
    type=click.IntRange(1, 128),
    help="Workers that check passwords.  [default: one a core]",
)
@click.option(
    "--directory-threads",
    type=click.IntRange(1, 128),
    help="Workers that do the rest.  [default: 8 on MySQL, 2 on SQLite]",
)
@click.option(
    "--bcrypt-cost",
    type=click.IntRange(4, 16),
    default=12,
    show_default=True,
    help="Each step doubles the work of a password check; 4 is for tests only.",
)
@click.option(
    "--registrations-per-hour",
    type=click.IntRange(1),
    default=200,
    show_default=True,
    help="How many users one address may register.",
)
@click.option("--log-level", type=click.Choice(_LOG_LEVELS), default="info", show_default=True)
def serve(registrations_per_hour: int, ports: range, log_level: str, **options: Any) -> None:
    """Serve until SIGINT or SIGTERM.

    Prints one line, "ready INVITE", once it accepts requests. Give the invite to
    everybody who is to use this broker. Logs go to stderr.
    """
    from dataclasses import replace

    from landline_broker.settings import Settings
    from landline_sql.store import Rules

    logging.basicConfig(
        level=log_level.upper(), format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr
    )
    rules = Rules(ports=ports)
    penalty = replace(rules.register_penalty, limit=registrations_per_hour)
    _serve(Settings(rules=replace(rules, register_penalty=penalty), **options))


@main.command()
@_database
@_data_dir
def migrate(**options: Any) -> None:
    """Make the database's tables, or bring them up to this version."""
    from landline_broker.keys import prepare_data_dir
    from landline_broker.settings import Settings
    from landline_sql import schema

    settings = Settings(**options)
    if settings.database is None:
        prepare_data_dir(settings.data_dir)
    database = settings.open_database(schema.PATIENCE_S)
    try:
        schema.migrate(database.engine)
    finally:
        database.close()
    click.echo("the database is up to date")


@main.command()
@_data_dir
def invite(data_dir: Path) -> None:
    """Print the invite again.

    It is that of the latest broker of the data directory.
    """
    from landline_broker.keys import read_invite

    click.echo(read_invite(data_dir))


@main.command()
@_database
@_data_dir
@click.argument("name")
def devices(name: str, **options: Any) -> None:
    """List the keys of a user's devices, and their states.

    A state is logged-in, logged-out or revoked.
    """
    from landline_broker.server import opened_store
    from landline_broker.settings import Settings

    with opened_store(Settings(**options)) as store:
        known = store.devices(name.lower())
    if not known:
        raise click.ClickException("no device has ever logged in under that name; check the name")
    for device in known:
        state = "logged-in" if device.logged_in else "logged-out"
        click.echo(f"{device.key.hex()} {'revoked' if device.revoked else state}")


@main.command()
@_database
@_data_dir
@click.argument("key")
def revoke(key: str, **options: Any) -> None:
    """Shut a device out for good.

    KEY is what `devices` shows of a laptop that is lost, for one.
    """
    from landline_broker.server import opened_store
    from landline_broker.settings import Settings

    try:
        octets = bytes.fromhex(key)
    except ValueError:
        raise click.UsageError("KEY is what landline-broker devices NAME shows") from None
    with opened_store(Settings(**options)) as store:
        name = store.revoke(octets)
    if name is None:
        raise click.ClickException("no device has that key: see landline-broker devices NAME")
    click.echo(f"revoked a device of {name}")


def _serve(settings: "Settings") -> None:
    from landline_broker.server import Broker

    broker = Broker(settings)
    with _stop_signals(broker.ended.set):
        _raise_open_files()
        try:
            broker.start()
            click.echo(f"ready {broker.invite}")
            broker.ended.wait()
        finally:
            stopped = broker.stop()
        if not stopped:
            _abandon()
    if broker.failed:
        raise click.ClickException("a part of the broker failed; see the log, start it again")


@contextmanager
def _stop_signals(stop: Callable[[], object]) -> Iterator[None]:
    """Call ``stop`` for SIGINT and SIGTERM."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: stop()) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _raise_open_files() -> None:
    """Allow as many connections as the system lets us have; each takes a file."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _abandon() -> None:
    """End the process although a thread hangs, in a database say, that never answers.

    What was committed stays; the peers that got no answer ask again.
    """
    import os

    logging.getLogger("landline.broker").warning("ending without a thread that hangs")
    logging.shutdown()
    sys.stdout.flush()
    os._exit(0)


def _said(line: str, status: int) -> int:
    click.echo(f"landline-broker: {line}", err=True)
    return status


def _usage(error: click.UsageError) -> str:
    where = "landline-broker" if error.ctx is None else error.ctx.command_path
    return f"{error.format_message().rstrip('.')} (see: {where} --help)"


def _line(error: Exception) -> str:
    text = str(error).splitlines()
    return text[0] if text else type(error).__name__
