"""How fast the hub is, measured beside floors: small programs that do the least that could do.

``python -m bench`` runs every benchmark, ``python -m bench ingest --seconds 2 --repeat 3`` one of
them. What is measured goes into ``bench/results.json``; ``python -m bench.report`` makes
``docs/performance.md`` of it. Machines differ and are busy: what counts is a ratio between two
things measured within one run, and CPU time before the time on the clock.
"""
