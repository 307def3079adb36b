"""The command line: ``hub serve``, ``hub check`` and the rest.

It parses, loads the configuration, calls ``hub.app`` and prints. Whatever is heavy is imported by
the command that needs it, so that ``hub --help`` answers at once.
"""

from __future__ import annotations

import gc
import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from hub.cli.parser import build_parser

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 done, 1 failed, 2 wrong usage or configuration."""
    options = build_parser().parse_args(arguments)
    try:
        if options.command == "init":
            from hub.cli.init import initialise

            return initialise(options.file)
        if options.command == "plugin" and options.subcommand == "new":
            from hub.cli.new import new_plugin

            return new_plugin(options.name, Path())
        return _run(options)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has gone; the interpreter must not complain on its way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except OSError as error:
        # A full disk, a folder that is not writable: the system's own words, on one line.
        place = f": {error.filename}" if error.filename else ""
        print(f"hub: {error.strerror or error}{place}", file=sys.stderr)
        return EXIT_FAILED


def _run(options: Namespace) -> int:
    """What is imported stays: Python's collector would look at it again and again meanwhile, for a
    fifth of the time that importing takes."""
    gc.disable()
    from hub.cli.commands import run

    gc.freeze()
    gc.enable()
    return run(options)
