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
    if not options.providers:
        return 0
    report = app.check_providers(config)
    print(f"\n{report}")
    return EXIT_FAILED if report.wrong else 0


def _add_user(options: argparse.Namespace) -> int:
    config = _load(options)
    organisation = None if options.super_user else _organisation(config, options)
    given = _given_password(options)
    name = options.name or options.email
    made = app.add_user(config, options.email, name, organisation, options.role, given)
    if organisation is None:
        print(f"Added {options.email} as a Super User of every organisation.")
    else:
        print(f"Added {options.email} to {organisation} as {options.role}.")
    if given is None:
        print(f"One-time password: {made}")
    return 0


def _organisation(config: HubConfig, options: argparse.Namespace) -> str:
    """The one that is meant."""
    slugs = [organisation.slug for organisation in config.organisations]
    organisation = options.organisation or (slugs[0] if len(slugs) == 1 else None)
    if organisation is None:
        raise Mistakes(f"hub: name one with --organisation: {', '.join(slugs)}")
    return organisation


def _list_users(options: argparse.Namespace) -> int:
    for user in app.list_users(_load(options)):
        print(user)
    return 0


def _super_user(options: argparse.Namespace) -> int:
    config = _load(options)
    if not options.revoke:
        app.make_super_user(config, options.email)
        print(f"{options.email} is a Super User.")
        return 0
    organisation = _organisation(config, options)
    app.unmake_super_user(config, options.email, organisation, options.role)
    print(f"{options.email} is a member of {organisation} as {options.role}, and no Super User.")
    return 0


def _make_token(options: argparse.Namespace) -> int:
    config = _load(options)
    token = app.make_token(
        config,
        options.email,
        name=options.name,
        organisation=_organisation(config, options),
        capabilities=options.can,
        days=options.days,
    )
    print(token)
    return 0


def _list_tokens(options: argparse.Namespace) -> int:
    print("\n".join(app.list_tokens(_load(options))))
    return 0


def _revoke_token(options: argparse.Namespace) -> int:
    app.revoke_token(_load(options), options.id)
    print(f"Token {options.id} is revoked.")
    return 0


def _set_password(options: argparse.Namespace) -> int:
    given = _given_password(options)
    made = app.set_password(_load(options), options.email, given)
    print(f"One-time password: {made}" if given is None else f"Password of {options.email} set.")
    return 0


def _reset_user(options: argparse.Namespace) -> int:
    link = app.reset_user(_load(options), options.email, second_factor=options.second_factor)
    if options.second_factor:
        print(f"{options.email} has no second factor any more.")
    print(f"Within an hour {options.email} may choose a new password, once, at {link}")
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


def _verify_audit(options: argparse.Namespace) -> int:
    config = _load(options)
    # A mark is one organisation's.
    named = options.organisation if options.since is None else _organisation(config, options)
    report = app.verify_audit(config, named, options.since)
    print(report)
    return 0 if report.whole else EXIT_FAILED


def _replace_key(options: argparse.Namespace) -> int:
    report = app.replace_key(_load(options))
    print(report)
    return EXIT_FAILED if any(report.lost.values()) else 0


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
    "user reset": _reset_user,
    "user list": _list_users,
    "user super": _super_user,
    "token make": _make_token,
    "token list": _list_tokens,
    "token revoke": _revoke_token,
    "plugin list": _list_plugins,
    "plugin test": _test_plugin,
    "plugin record": _record,
    "replay": _replay,
    "parked list": _list_aside,
    "parked retry": _retry_aside,
    "parked drop": _drop_aside,
    "audit verify": _verify_audit,
    "keys replace": _replace_key,
    "openapi": _openapi,
}
