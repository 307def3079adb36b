"""The proof that each check can fail: a channel that behaves, and channels that do not, each wrong
in one way. ``python -m hub.conformance.mutants`` makes the matrix of which check kills which."""
