"""The ``landline`` command: parses, opens a peer, calls one function.

What is heavy is imported inside the command that needs it: help costs click
and nothing else.
"""

import sys
from typing import NoReturn

import click

from landline import __version__
from landline.cli.ending import Interrupted, status_of
from landline.cli.options import Settings, common
from landline.cli.output import Output, interactive

_EPILOG = """\b
First steps (an invite is what 'landline-broker serve' prints):
  landline --broker 'landline://192.0.2.7:7720/?key=…' register alice
  landline wait                   be there for callers
  landline call bob               call somebody who waits
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
reached; 6 declined; 7 the conversation broke off (what was said stays in the
history); 130 interrupted; 1 anything else."""

_CHAT = """\b
On a terminal you type lines; bye or Ctrl-D says bye, and the conversation is
over when both have said it. Elsewhere each line of stdin is a message, a line
'bye' or the end of stdin says bye, each message received is a line on stdout
(a line's end in it is shown as ␊), and everything else goes to stderr. A line
that is no UTF-8, or longer than 64 KiB, is named on stderr and not sent; all
others are, and the exit status is 2."""

_EVENTS = """\b
With --json stdout has an object for each event: message {from, text, number,
at}, delivered {upto}, bye {from, at}, ended {said, heard}, unsent {line, say},
notice {say}, error {say, status}, """


class _Commands(click.Group):
    """Lets Ctrl-C through to the one place where a command ends."""

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
        "max_content_width": 88,
    },
)
@click.version_option(__version__, prog_name="landline")
@common
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

{_EVENTS}waiting
{{name, port}}, incoming, missed and declined {{from}}, accepted {{name}}, stopped.

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
@common
@click.pass_obj
def wait(settings: Settings, accept: bool, once: bool, host: str) -> None:
    """Wait for callers, until Ctrl-C.

    For each caller you are asked; without a terminal to ask on, --accept is
    needed.
    """
    from landline.cli import talking

    output = Output(json=settings.json)
    with settings.peer(output) as peer:
        talking.wait(peer, output, accept=accept, once=once, host=host)


@landline.command(
    epilog=f"""{_CHAT}

{_EVENTS}calling,
ringing and accepted {{name}}, endpoint {{name, host, port}}, connected {{here, there}}.

\b
Examples:
  landline call bob
  date | landline call bob --json"""
)
@click.argument("name")
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
  landline history bob
  landline history bob --json     {"from", "to", "text", "number", "at", "delivered"}"""
)
@click.argument("name")
@common
@click.pass_obj
def history(settings: Settings, name: str) -> None:
    """Show what you and NAME said to each other on this device, oldest first."""
    from landline.cli import listing

    output = Output(json=settings.json)
    with settings.peer(output) as peer:
        listing.history(peer, name, output)


@landline.command(
    epilog="""\b
Examples:
  landline demo
  printf 'hello\\nbye\\n' | landline demo"""
)
@common
@click.pass_obj
def demo(settings: Settings) -> None:
    """See it work on this machine alone: a broker, bob, and you as alice.

    Everything is made in a temporary directory and removed in the end. bob
    repeats what you say. Without a terminal your lines come from stdin; if
    there are none, the conversation holds itself.
    """
    from landline.cli.demo import Demo

    Demo(Output(json=settings.json)).run()


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
    """Print the script that completes landline's commands and options in a shell."""
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
