"""The ``landline`` command: parses, opens a peer, calls one function.

What is heavy is imported inside the command that needs it: help costs click
and nothing else.
"""

import sys
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import NoReturn

import click
from click.core import augment_usage_errors

from landline import __version__
from landline.cli.ending import Interrupted, status_of
from landline.cli.options import Settings, common, no_history, redial
from landline.cli.output import Output, interactive
from landline.cli.when import when

_EPILOG = """\b
First steps (an invite is what 'landline-broker serve' prints):
  landline --broker 'landline://192.0.2.7:7720/?key=…' register alice
  landline wait                   be there for callers
  landline call bob               call somebody who waits
  landline send bob 'see you'     leave a message, also for who is away
  landline demo                   see it work, on this machine alone

\b
Settings: an option, or LANDLINE_HOME, LANDLINE_BROKER and LANDLINE_PASSWORD
in the environment, or config.toml in the home:
  broker = "landline://…"
  [wait]
  accept = true

\b
Exit status: 0 done, or both said bye; 2 usage; 3 the other is unknown,
offline or engaged; 4 not authenticated or refused; 5 the broker cannot be
reached; 6 declined; 7 the conversation broke off (what was said is kept, and
delivered later); 130 interrupted; 1 anything else. A message that is kept
because somebody is away is a success."""

_CHAT = """\b
On a terminal you type lines; bye or Ctrl-D says bye, and the conversation
is over when both have said it. Elsewhere each line of stdin is a message, a
line 'bye' or the end of stdin says bye, each message received is a line on
stdout (a line's end in it is shown as ␊), and everything else goes to
stderr. A line that is no UTF-8, or longer than 64 KiB, is named on stderr
and not sent; all others are, and the exit status is 2."""

_EVENTS = """\b
With --json stdout has an object for each event: message {from, text, number,
at}, delivered {upto}, bye {from, at}, ended {said, heard}, reconnecting and
reconnected {name}, unsent {line, say}, notice {say}, error {say, status},"""


_CHAOS_S = 20
_CHAOS_MOST_S = 86_400


class _Command(click.Command):
    """Is named by every error in how it is used, also by those that the parser finds."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        with augment_usage_errors(ctx):
            return super().parse_args(ctx, args)


class _Commands(click.Group):
    """Lets Ctrl-C through to the one place where a command ends."""

    command_class = _Command

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise Interrupted from None

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(
    cls=_Commands,
    invoke_without_command=True,
    epilog=_EPILOG,
    context_settings={
        "auto_envvar_prefix": "LANDLINE",
        "help_option_names": ["-h", "--help"],
    },
)
@click.version_option(__version__, prog_name="landline")
@common
@redial
@no_history
@click.pass_context
def landline(ctx: click.Context) -> int:
    """Chat with people on your network, straight from machine to machine, encrypted.

    Without a command, on a terminal, it shows a menu.
    """
    if ctx.invoked_subcommand is not None:
        return 0
    if not interactive():
        click.echo(ctx.get_help(), err=True)
        return 2
    from landline.cli.menu import Menu

    Menu(ctx.obj, Output(json=False)).run()
    return 0


# What writes or deletes is asked for each time; no environment variable does it.
_asked = partial(click.option, allow_from_autoenv=False)
_no_pager = click.option(
    "--no-pager", is_flag=True, help="Print everything at once, also on a terminal."
)
_password_stdin = click.option(
    "--password-stdin", is_flag=True, help="Read the password from the first line of stdin."
)


@landline.command(
    epilog="""\b
Examples:
  landline register alice
  landline --broker "$INVITE" register alice --password-stdin < password.txt"""
)
@click.argument("name")
@_password_stdin
@common
@click.pass_obj
def register(settings: Settings, name: str, password_stdin: bool) -> None:
    """Make a new user, and log in on this device.

    The password has 8 characters or more; it is asked for on the terminal, or
    read from stdin or from LANDLINE_PASSWORD.
    """
    from landline.checks import checked_name
    from landline.cli import account
    from landline.cli.passwords import password_of

    output = Output(json=settings.json)
    with settings.peer(output) as peer:
        name = checked_name(name)
        _ = peer.broker  # that none is known is said before anything is asked
        password = password_of(name, from_stdin=password_stdin, new=True)
        account.register(peer, name, password, output)


@landline.command(
    epilog="""\b
Examples:
  landline login alice
  LANDLINE_PASSWORD=… landline login alice"""
)
@click.argument("name")
@_password_stdin
@common
@click.pass_obj
def login(settings: Settings, name: str, password_stdin: bool) -> None:
    """Log in on this device, for 30 days or until logout."""
    from landline.checks import checked_name
    from landline.cli import account
    from landline.cli.passwords import password_of

    output = Output(json=settings.json)
    with settings.peer(output) as peer:
        name = checked_name(name)
        _ = peer.broker  # that none is known is said before anything is asked
        password = password_of(name, from_stdin=password_stdin, new=False)
        account.login(peer, name, password, output)


@landline.command()
@common
@click.pass_obj
def logout(settings: Settings) -> None:
    """Log out on this device."""
    from landline.cli import account

    output = Output(json=settings.json)
    with settings.peer(output) as peer:
        account.logout(peer, output)


@landline.command(
    epilog="""\b
Examples:
  landline who
  landline who bob --json         {"name": "bob", "state": "waiting"}

\b
States: waiting (can be called), engaged (in a conversation), offline."""
)
@click.argument("name", required=False)
@common
@click.pass_obj
def who(settings: Settings, name: str | None) -> None:
    """Show who there is, or one user, and who can be called."""
    from landline.cli import listing

    output = Output(json=settings.json)
    with settings.peer(output) as peer:
        listing.roll(peer, name, output)


@landline.command(
    epilog=f"""{_CHAT}
With many callers, lines of stdin go to whoever is there; after a line 'bye'
the next line is for the next caller, and after the end of stdin every caller
hears bye at once, and is still listened to.

{_EVENTS}
waiting {{name, port}}, incoming {{from, delivery, resumed}}, missed and
declined {{from}}, accepted {{name}}, stopped.

\b
Examples:
  landline wait
  landline wait --accept --once < answers.txt > said.txt"""
)
@click.option("--accept", is_flag=True, help="Take every call without asking.")
@click.option("--once", is_flag=True, help="End after one conversation.")
@click.option(
    "--host",
    default="",
    metavar="HOST",
    help="The address that callers are told, if it is not the one that the broker sees.",
)
@click.option(
    "--port",
    type=click.IntRange(1, 65_535),
    metavar="PORT",
    help="The port that callers are told, if a router passes it on to this device's own.",
)
@redial
@no_history
@common
@click.pass_obj
def wait(settings: Settings, accept: bool, once: bool, host: str, port: int | None) -> None:
    """Wait for callers, until Ctrl-C.

    For each caller you are asked; with --json, and without a terminal to ask
    on, nobody is, and --accept is needed.
    """
    from landline.cli import talking

    output = Output(json=settings.json)
    with settings.peer(output) as peer:
        talking.wait(peer, output, accept=accept, once=once, host=host, port=port or 0)


@landline.command(
    epilog=f"""{_CHAT}

{_EVENTS}
calling, ringing and accepted {{name}}, endpoint {{name, host, port}}, connected
{{here, there}}.

\b
Examples:
  landline call bob
  date | landline call bob --json"""
)
@click.argument("name")
@redial
@no_history
@common
@click.pass_obj
def call(settings: Settings, name: str) -> None:
    """Call a user who waits, and talk until both have said bye."""
    from landline.cli import talking

    output = Output(json=settings.json)
    with settings.peer(output) as peer:
        talking.call(peer, name, output)


@landline.command(
    epilog="""\b
Examples:
  landline send bob 'the printer works again'
  date | landline send bob -      every line of stdin is a message
  landline send bob -- '-1 from me'
  landline outbox                 what has not been delivered yet

\b
The exit status is 0 when the message is delivered, and when it is kept. A
line of stdin that is no UTF-8, or longer than 64 KiB, is named on stderr and
not sent; all others are, and the exit status is 2. With --json stdout has
one object: {"event": "sent", "to", "delivered", "kept", "why"}; and message
{from, text, number, at}, unsent {line, say}, notice {say}, error {say,
status}."""
)
@click.argument("name")
@click.argument("text", nargs=-1, required=True)
@no_history
@common
@click.pass_obj
def send(settings: Settings, name: str, text: tuple[str, ...]) -> None:
    """Leave NAME a message, whether or not they are there.

    It is delivered at once to somebody who waits, without a ring. Otherwise it
    is kept on this device, and delivered when you two next meet: when one of
    you calls the other, when you send or flush again while they wait, or when
    you both wait. TEXT - is all lines of stdin; several words are one message.
    What they say meanwhile is shown.
    """
    from landline.checks import checked_name
    from landline.cli import outbox

    if not any(text):
        raise click.UsageError("there is no text to send; write one behind NAME")
    output = Output(json=settings.json)
    with settings.peer(output) as peer:
        outbox.send(peer, checked_name(name), " ".join(text), output)


@landline.command(
    "outbox",
    epilog="""\b
Examples:
  landline outbox
  landline outbox bob --json
  landline outbox --flush

\b
With --json each message is {"to", "text", "at"}; --flush has for each user
{"event": "sent", "to", "delivered", "kept", "why"}.""",
)
@click.argument("name", required=False)
@click.option("--flush", is_flag=True, help="Try to deliver it now.")
@_no_pager
@common
@click.pass_obj
def kept(settings: Settings, name: str | None, flush: bool, no_pager: bool) -> None:
    """Show what is not delivered yet, to NAME or to anybody."""
    from landline.checks import checked_name
    from landline.cli import outbox

    output = Output(json=settings.json)
    name = name and checked_name(name)
    if not flush:
        outbox.show(settings.archive(output), name, output, paged=not no_pager)
        return
    with settings.peer(output) as peer:
        outbox.flush(peer, name, output)


def _belong(to: str, given: object, **options: object) -> None:
    """Refuse options that mean nothing without another one."""
    for name, value in options.items():
        if value and not given:
            raise click.UsageError(f"--{name} goes with {to} only")


def _check_words(search: str | None) -> None:
    """Refuse no words at all, and a ``*`` that would mean nothing where it stands."""
    if search is None:
        return
    words = search.split()
    if not words:
        raise click.UsageError("there are no words to --search for")
    if "*" in " ".join(words)[:-1] or words[-1:] == ["*"]:
        raise click.UsageError("in --search a * stands only at the end of the last word")


@landline.command(
    epilog="""\b
Examples:
  landline history bob
  landline history --since yesterday --search 'printer fl*'
  landline history bob --export bob.jsonl
  landline history bob --delete --before 2026-01-01

\b
With --json each message is an object: {"from", "to", "text", "number", "at",
"delivered"}.

\b
WHEN is a date (2026-11-20), a date and time (2026-11-20T17:30, local unless
it names a zone), a time (17:30, of today, or of yesterday if it is still to
come), how long ago (30m, 2h, 3d, 1w), today or yesterday. --search finds
messages that have all of the words; the last one may end in *, and is then
the beginning of a word. On a terminal, what does not fit on the screen goes
through the program that PAGER names, else less."""
)
@click.argument("name", required=False)
@click.option("--search", metavar="WORDS", help="Only messages that have all of these words.")
@click.option("--since", metavar="WHEN", type=when, help="Only messages from then on.")
@_asked(
    "--export",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write them to a new file, as --json does, that only you can read.",
)
@_asked("--force", is_flag=True, help="With --export: replace the file, if there is one.")
@_asked("--delete", is_flag=True, help="Delete the messages from this device for good.")
@_asked("--before", metavar="WHEN", type=when, help="With --delete: only those before.")
@_asked("--yes", is_flag=True, help="With --delete: do not ask whether you are sure.")
@_no_pager
@common
@click.pass_obj
def history(
    settings: Settings,
    name: str | None,
    search: str | None,
    since: datetime | None,
    export: Path | None,
    force: bool,
    delete: bool,
    before: datetime | None,
    yes: bool,
    no_pager: bool,
) -> None:
    """Show what was said here, with NAME or with anybody.

    In the order in which it was said here or arrived. ✓ is what the other side
    has stored. What is not delivered yet is shown as such, and never deleted.
    """
    from landline.checks import checked_name
    from landline.cli import archive, listing

    _belong("--export", export, force=force)
    _belong("--delete", delete, before=before, yes=yes)
    _check_words(search)
    if delete and (search or since or export):
        raise click.UsageError("--delete goes with --before and --yes only")
    output = Output(json=settings.json)
    held = settings.archive(output)
    name = name and checked_name(name)
    if delete:
        archive.delete(held, name, before, output, sure=yes)
    elif export:
        records = held.history(name, search=search, since=since)
        archive.export(held, records, export, output, force=force)
    else:
        paged = not no_pager
        listing.history(held, name, output, search=search, since=since, paged=paged)


@landline.command(
    epilog="""\b
Examples:
  landline block carol
  landline block                  who is blocked
  landline block --json           {"name": "carol"}"""
)
@click.argument("name", required=False)
@common
@click.pass_obj
def block(settings: Settings, name: str | None) -> None:
    """Refuse NAME's calls and deliveries, or show who is blocked.

    Their program is told no more than that it is not let in. What they send
    stays with them, and reaches you when you have unblocked them.
    """
    from landline.checks import checked_name
    from landline.cli import blocking

    output = Output(json=settings.json)
    held = settings.archive(output)
    if name is None:
        blocking.listing(held, output)
    else:
        blocking.block(held, checked_name(name), output)


@landline.command(
    epilog="""\b
Examples:
  landline unblock carol"""
)
@click.argument("name")
@common
@click.pass_obj
def unblock(settings: Settings, name: str) -> None:
    """Let NAME's calls and deliveries in again."""
    from landline.checks import checked_name
    from landline.cli import blocking

    output = Output(json=settings.json)
    blocking.unblock(settings.archive(output), checked_name(name), output)


@landline.command(
    epilog="""\b
Examples:
  landline demo
  printf 'hello\\nbye\\n' | landline demo
  landline demo --chaos --seconds 60

\b
The exit status of --chaos is 0 if everything that was said has been
received, once, and in order. With --json: counted {sent, delivered, cuts,
lost, doubled, disordered}."""
)
@click.option("--chaos", is_flag=True, help="Cut the connection again and again, and count.")
@click.option(
    "--seconds",
    type=click.FloatRange(0, _CHAOS_MOST_S),
    metavar="SECONDS",
    help=f"With --chaos: for how long. [default: {_CHAOS_S}]",
)
@common
@click.pass_obj
def demo(settings: Settings, chaos: bool, seconds: float | None) -> None:
    """See it work, on this machine alone.

    A broker, bob, and you as alice: everything is made in a temporary directory
    and removed in the end. bob repeats what you say. Without a terminal your lines come from stdin; if
    there are none, the conversation holds itself. With --chaos you only watch:
    both send numbered messages through a connection that does not last, and it
    is counted what arrives.
    """
    from landline.cli.demo import Demo

    _belong("--chaos", chaos, seconds=seconds)
    if chaos and seconds is None:
        seconds = _CHAOS_S
    Demo(Output(json=settings.json), seconds).run()


@landline.command(
    epilog="""\b
To install it, add one line to the file that your shell reads at its start:
  ~/.bashrc                       eval "$(landline completion bash)"
  ~/.zshrc                        eval "$(landline completion zsh)"
  ~/.config/fish/config.fish      landline completion fish | source"""
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@common
def completion(shell: str) -> None:
    """Print what completes commands in a shell: bash, zsh or fish."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(landline, {}, "landline", "_LANDLINE_COMPLETE").source())


def main() -> NoReturn:
    """Run the command and end the process."""
    settings = Settings()
    status = status_of(
        lambda: landline.main(prog_name="landline", obj=settings, standalone_mode=False),
        lambda: settings.debug,
    )
    sys.exit(status)
