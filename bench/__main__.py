"""``python -m bench [NAME …]``: measure, show, keep."""

from __future__ import annotations

import argparse
from importlib import import_module

import msgspec

from bench import results
from bench.options import Options
from bench.table import show

BENCHMARKS = ("ingest", "outbox", "inbox", "fanout", "host", "cold", "page", "conformance")


def main() -> None:
    """Run the benchmarks that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--seconds", type=int, help="of load at a time")
    parser.add_argument("--repeat", type=int, help="how often all of it is measured")
    parser.add_argument("--quick", action="store_true", help="everything smaller: does it run?")
    parser.add_argument("--large", action="store_true", help="a million conversations too")
    given = parser.parse_args()
    unknown = set(given.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    seconds, repeat = (1, 1) if given.quick else (4, 3)
    options = Options(
        seconds=given.seconds or seconds,
        repeat=given.repeat or repeat,
        quick=given.quick,
        large=given.large,
    )
    for name in given.names or BENCHMARKS:
        section = import_module(f"bench.{name}").measure(options)
        section = msgspec.structs.replace(section, repeat=options.repeat, quick=options.quick)
        results.keep(name, section)
        show(section)


if __name__ == "__main__":
    main()
