"""What the command line understands."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # argparse has no public name for it
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    """Where commands are added to."""


def build_parser() -> argparse.ArgumentParser:
    """The parser; the chosen command's name ends up in ``command``."""
    parser = argparse.ArgumentParser(
        prog="hub", description="One inbox for every channel.", allow_abbrev=False
    )
    parser.add_argument("--version", action=_Version, help="print the version")
    commands = parser.add_subparsers(dest="command", metavar="command", required=True)

    configured = argparse.ArgumentParser(add_help=False)
    configured.add_argument(
        "--config", type=Path, metavar="FILE", help="configuration (default: hub.toml, if there)"
    )

    def add(name: str, help_: str, *parents: argparse.ArgumentParser) -> argparse.ArgumentParser:
        return commands.add_parser(
            name, help=help_, description=help_, parents=list(parents), allow_abbrev=False
        )

    for name, help_ in (
        ("serve", "Serve the inbox, the API and webhooks, and do the background work."),
        ("demo", "Serve a hub filled with invented conversations."),
    ):
        serving = add(name, help_, configured)
        serving.add_argument("--host", help="address to listen on (default: 127.0.0.1)")
        serving.add_argument("--port", type=_port, help="port to listen on (default: 8000)")

    add("worker", "Do the background work alone, beside hub serve on PostgreSQL.", configured)
    add("reload", "Have the running hub read its configuration again.", configured)
    initialise = add("init", "Write a commented configuration to start from.")
    initialise.add_argument("file", nargs="?", type=Path, default=Path("hub.toml"))

    check = add("check", "Say everything that is wrong with the configuration.", configured)
    check.add_argument(
        "--providers",
        action="store_true",
        help="ask each provider, too, whether credentials and webhook addresses are right",
    )
    _add_user(commands, configured)
    _add_token(commands, configured)
    plugin = _group(commands, "plugin", "Plugins: installed, new, under test.")
    plugin.add_parser("list", help="installed plugins", parents=[configured])
    _add_plugin_new(plugin)
    _add_plugin_test(plugin)
    _add_plugin_record(plugin, configured)

    replay = add("replay", "Take in again what a channel could not understand.", configured)
    replay.add_argument("--organisation", metavar="SLUG", help="only of this organisation")
    replay.add_argument("--channel", metavar="ID", help="only of this channel")
    replay.add_argument("--delivery", metavar="ID", help="only this delivery")

    _add_parked(commands, configured)
    _add_audit(commands, configured)
    _add_keys(commands, configured)
    openapi = add("openapi", "Print the OpenAPI document of the HTTP API.")
    openapi.add_argument("--output", type=Path, metavar="FILE", help="write it there instead")
    return parser


def _group(commands: Commands, name: str, help_: str) -> Commands:
    """A command that is nothing without a second one; that ends up in ``subcommand``."""
    group = commands.add_parser(name, help=help_, description=help_, allow_abbrev=False)
    return group.add_subparsers(dest="subcommand", metavar="command", required=True)


def _add_plugin_new(plugin: Commands) -> None:
    help_ = "Write a package to start a channel from."
    new = plugin.add_parser("new", help=help_, description=help_, allow_abbrev=False)
    new.add_argument("name", metavar="NAME", help="what hub.toml calls it, such as acme-chat")


def _add_plugin_test(plugin: Commands) -> None:
    help_ = "Run the conformance suite on a plugin."
    test = plugin.add_parser("test", help=help_, description=help_, allow_abbrev=False)
    test.add_argument("target", metavar="package:Class")
    test.add_argument(
        "--cases", type=Path, metavar="DIR", help="its cases (default: tests/cases or cases)"
    )
    test.add_argument("--report", type=Path, metavar="FILE", help="write what came of it there")
    test.add_argument(
        "--verify", type=Path, metavar="FILE", help="run as this report was made, and compare"
    )
    test.add_argument(
        "--only", action="append", default=[], metavar="CHECK", help="only this check (SIG-02)"
    )
    test.add_argument("--seed", type=int, default=1, metavar="N", help="(default: 1)")


def _add_plugin_record(plugin: Commands, configured: argparse.ArgumentParser) -> None:
    help_ = "Make cases of the conformance suite of what a channel has received."
    record = plugin.add_parser(
        "record", help=help_, description=help_, parents=[configured], allow_abbrev=False
    )
    record.add_argument("channel", metavar="CHANNEL", help="its id in hub.toml")
    record.add_argument("--organisation", metavar="SLUG", help="needed if several have such a one")
    record.add_argument(
        "--delivery", action="append", default=[], metavar="ID", help="only this delivery"
    )
    record.add_argument(
        "--last", type=_count, default=100, metavar="N", help="look at so many (default: 100)"
    )
    record.add_argument(
        "--cases", type=Path, metavar="DIR", help="its cases (default: tests/cases or cases)"
    )


def _add_user(commands: Commands, configured: argparse.ArgumentParser) -> None:
    actions = _group(commands, "user", "Add a person, or set a password.")
    password = argparse.ArgumentParser(add_help=False)
    password.add_argument("email")
    password.add_argument(
        "--password-stdin",
        action="store_true",
        help="read the password from standard input, instead of making one for a single use",
    )
    adding = actions.add_parser(
        "add", help="add a person to an organisation", parents=[configured, password]
    )
    adding.add_argument("--name", help="what colleagues see (default: the email address)")
    adding.add_argument("--organisation", metavar="SLUG", help="needed if there are several")
    adding.add_argument("--role", default="User SMS", help="(default: User SMS)")
    adding.add_argument(
        "--super-user", action="store_true", help="of every organisation, now and later"
    )
    actions.add_parser("list", help="everybody, and where they are members", parents=[configured])
    superior = actions.add_parser(
        "super", help="make a person a Super User of every organisation", parents=[configured]
    )
    superior.add_argument("email")
    superior.add_argument(
        "--revoke", action="store_true", help="they are one no more, and stay in one organisation"
    )
    superior.add_argument("--organisation", metavar="SLUG", help="where they stay")
    superior.add_argument(
        "--role", default="User SMS", help="what they are there (default: User SMS)"
    )
    actions.add_parser("password", help="set a person's password", parents=[configured, password])
    reset = actions.add_parser(
        "reset", help="print a link to choose a new password with", parents=[configured]
    )
    reset.add_argument("email")
    reset.add_argument(
        "--second-factor", action="store_true", help="take away their second factor as well"
    )


def _add_token(commands: Commands, configured: argparse.ArgumentParser) -> None:
    actions = _group(commands, "token", "API tokens of members.")
    make = actions.add_parser(
        "make", help="make one; it is printed this once", parents=[configured]
    )
    make.add_argument("email", help="whose it is")
    make.add_argument("--name", required=True, help="what it is for")
    make.add_argument(
        "--can",
        action="append",
        required=True,
        metavar="CAPABILITY",
        help="what it may do, such as messages.view; once for each",
    )
    make.add_argument("--days", type=_count, metavar="N", help="how long it is good for")
    make.add_argument("--organisation", metavar="SLUG", help="needed if there are several")
    actions.add_parser("list", help="all that were not revoked", parents=[configured])
    revoke = actions.add_parser("revoke", help="end one", parents=[configured])
    revoke.add_argument("id", metavar="ID", help="as the list shows it")


def _add_parked(commands: Commands, configured: argparse.ArgumentParser) -> None:
    actions = _group(commands, "parked", "Background work that failed too often and was put aside.")
    actions.add_parser(
        "list", help="changes, things due, jobs and notices, with the reason", parents=[configured]
    )
    retry = actions.add_parser("retry", help="try again", parents=[configured])
    retry.add_argument("ids", nargs="*", metavar="ID", help="as the list shows it")
    retry.add_argument(
        "--all", action="store_true", help="everything but what may have been done already"
    )
    drop = actions.add_parser("drop", help="forget", parents=[configured])
    drop.add_argument("ids", nargs="+", metavar="ID", help="as the list shows it")


def _add_audit(commands: Commands, configured: argparse.ArgumentParser) -> None:
    actions = _group(commands, "audit", "The log of who changed what.")
    verify = actions.add_parser(
        "verify", help="whether a line was changed, put in or taken out", parents=[configured]
    )
    verify.add_argument("--organisation", metavar="SLUG", help="only of this organisation")
    verify.add_argument(
        "--since",
        metavar="MARK",
        help="read on from this line, and see that it is still there: the end that verify printed "
        "before, such as 17:3f0c…; kept elsewhere it shows a log that was cut short",
    )


def _add_keys(commands: Commands, configured: argparse.ArgumentParser) -> None:
    actions = _group(commands, "keys", "The secret key, of which all keys of the hub are made.")
    actions.add_parser(
        "replace",
        help="encrypt everything with another one, while the hub runs",
        description="Make another secret key and encrypt everything with it, while the hub runs. "
        "What ends it is no harm: run it again. A key that stands in the configuration is replaced "
        "there first, with the one before in accepted_secret_keys.",
        parents=[configured],
    )


def _count(text: str) -> int:
    if text.isascii() and text.isdecimal() and 0 < int(text) <= 10_000:
        return int(text)
    raise argparse.ArgumentTypeError("expected a number from 1 to 10000")


def _port(text: str) -> int:
    if text.isascii() and text.isdecimal() and int(text) <= 65535:
        return int(text)
    raise argparse.ArgumentTypeError("expected a number from 0 to 65535")


class _Version(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:  # noqa: A002
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from importlib.metadata import version

        print(f"Channel Hub {version('channel-hub')}")
        parser.exit()
