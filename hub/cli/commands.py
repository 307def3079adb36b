"""The commands: each loads what it needs, calls ``hub.app`` and prints what came of it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from functools import partial

from hub import app
from hub.config import ConfigErrors, HubConfig, Reading, read

EXIT_FAILED = 1
EXIT_MISTAKES = 2


class Mistakes(Exception):
    """What is wrong with the configuration, a line each."""


def run(options: argparse.Namespace) -> int:
    """Run the command that was chosen and return the exit code."""
    name = " ".join(filter(None, (options.command, getattr(options, "subcommand", None))))
    try:
        return _COMMANDS[name](options)
    except Mistakes as mistakes:
        print("\n".join(mistakes.args), file=sys.stderr)
        return EXIT_MISTAKES
    except app.StartupError as error:
        print(f"hub: {error}", file=sys.stderr)
        return EXIT_FAILED


def _load(options: argparse.Namespace) -> HubConfig:
    """The configuration; what is wrong with it is told together with what its plugins find."""
    reading = _reread(options)()
    if reading.errors:
        raise Mistakes(*map(str, ConfigErrors(reading.errors).errors), *app.check(reading.config))
    return reading.config


def _reread(options: argparse.Namespace) -> Callable[[], Reading]:
    host, port = getattr(options, "host", None), getattr(options, "port", None)
    return partial(read, options.config, os.environ, host=host, port=port)


def _serve(options: argparse.Namespace) -> int:
    return app.serve(_load(options), _reread(options))


def _worker(options: argparse.Namespace) -> int:
    return app.work(_load(options), _reread(options))


def _reload(options: argparse.Namespace) -> int:
    # What is wrong with the file is for the running hub to say, in its own environment.
    data = _reread(options)().config.hub.data
    answers = app.reload(data)
    if not answers:
        print(f"hub: no hub runs on {data} on this machine", file=sys.stderr)
        return EXIT_FAILED
    for answer in answers:
        out = sys.stdout if answer.outcome.applied else sys.stderr
        named = f"Process {answer.pid}: " if len(answers) > 1 else ""
        print("\n".join(f"{named}{line}" for line in answer.outcome.lines), file=out)
    return 0 if all(answer.outcome.applied for answer in answers) else EXIT_FAILED


def _demo(options: argparse.Namespace) -> int:
    return app.demo(_load(options))


def _check(options: argparse.Namespace) -> int:
    config = _load(options)
    if mistakes := app.check(config):
        raise Mistakes(*mistakes)
    source = config.path or "There is no hub.toml, and the configuration by default"
    count = len(config.channels)
    print(f"{source} is fine: {count} channel{'' if count == 1 else 's'}.")
    return 0


def _add_user(options: argparse.Namespace) -> int:
    config = _load(options)
    slugs = [organisation.slug for organisation in config.organisations]
    organisation = options.organisation or (slugs[0] if len(slugs) == 1 else None)
    if organisation is None:
        print(f"hub: name one with --organisation: {', '.join(slugs)}", file=sys.stderr)
        return EXIT_MISTAKES
    given = _given_password(options)
    name = options.name or options.email
    made = app.add_user(config, options.email, name, organisation, options.role, given)
    print(f"Added {options.email} to {organisation} as {options.role}.")
    if given is None:
        print(f"One-time password: {made}")
    return 0


def _set_password(options: argparse.Namespace) -> int:
    given = _given_password(options)
    made = app.set_password(_load(options), options.email, given)
    print(f"One-time password: {made}" if given is None else f"Password of {options.email} set.")
    return 0


def _given_password(options: argparse.Namespace) -> str | None:
    """Never from an argument: other users of the machine can read those."""
    return sys.stdin.readline().rstrip("\r\n") if options.password_stdin else None


def _list_plugins(options: argparse.Namespace) -> int:
    for plugin in app.list_plugins(_load(options)):
        print(f"{plugin.name:<24}{plugin.package} {plugin.version}")
    return 0


def _test_plugin(options: argparse.Namespace) -> int:
    from hub.conformance import command

    return command.run(
        options.target,
        cases=options.cases,
        report=options.report,
        verify=options.verify,
        only=options.only,
        seed=options.seed,
    )


def _record(options: argparse.Namespace) -> int:
    report = app.record(
        _load(options),
        options.channel,
        organisation=options.organisation,
        ids=options.delivery,
        last=options.last,
        cases=options.cases,
    )
    print(report)
    return EXIT_FAILED if report.failed else 0


def _replay(options: argparse.Namespace) -> int:
    report = app.replay(_load(options), options.organisation, options.channel, options.delivery)
    print(report)
    return EXIT_FAILED if report.failed else 0


def _list_aside(options: argparse.Namespace) -> int:
    print(app.list_aside(_load(options)))
    return 0


def _retry_aside(options: argparse.Namespace) -> int:
    if bool(options.ids) == options.all:
        print("hub: name what to try again, or say --all", file=sys.stderr)
        return EXIT_MISTAKES
    report = app.retry_aside(_load(options), options.ids, everything=options.all)
    print(report)
    return EXIT_FAILED if report.failed else 0


def _drop_aside(options: argparse.Namespace) -> int:
    report = app.drop_aside(_load(options), options.ids)
    print(report)
    return EXIT_FAILED if report.failed else 0


def _openapi(options: argparse.Namespace) -> int:
    document = app.openapi()
    if options.output is None:
        sys.stdout.buffer.write(document)
    else:
        options.output.write_bytes(document)
    return 0


_COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "serve": _serve,
    "worker": _worker,
    "reload": _reload,
    "demo": _demo,
    "check": _check,
    "user add": _add_user,
    "user password": _set_password,
    "plugin list": _list_plugins,
    "plugin test": _test_plugin,
    "plugin record": _record,
    "replay": _replay,
    "parked list": _list_aside,
    "parked retry": _retry_aside,
    "parked drop": _drop_aside,
    "openapi": _openapi,
}
