"""How long tests wait for what must come."""

PATIENCE = 90.0
"""Seconds for what a sound hub does at once. Only a broken one, or a machine that is busy with ten
other things, makes anybody wait so long."""
