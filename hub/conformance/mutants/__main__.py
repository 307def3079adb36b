"""Makes ``matrix.json`` and says what is wrong with it: ``python -m hub.conformance.mutants``;
with names of mutants, only those, and nothing is written."""

from __future__ import annotations

import sys

from hub.conformance.mutants import matrix
from hub.conformance.mutants.mutant import mutants


def main(names: list[str]) -> int:
    """The exit code: 0 when every check has a sole killer."""
    chosen = tuple(mutant for mutant in mutants if not names or mutant.name in names)
    found = matrix.made(chosen)
    wrong = [
        f"{mutant.name}: to be killed by {mutant.check} [{mutant.code}], is by {found[mutant.name]}"
        for mutant in chosen
        if found[mutant.name].get(mutant.check) != mutant.code
    ]
    if names:
        wrong += [f"{name}: {killers}" for name, killers in found.items()]
    else:
        matrix.write(found)
        wrong += [f"{each} has no sole killer" for each in matrix.without_sole_killer(found)]
    sys.stdout.write("\n".join([*wrong, f"{len(chosen)} mutants"]) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
