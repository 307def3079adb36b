"""Load: can the hub run this class, and does it keep quiet until it is asked?"""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Iterable

import hub
from hub.conformance.calibration import slowness
from hub.conformance.check import Failed, NotApplicable, check
from hub.conformance.probe import Imported, imported
from hub.conformance.stage import Stage
from hub.plugin.kit import checks
from hub.plugin.kit.recorded import RecordedContext

CONSTRUCTION = 0.1
"""Seconds of processor time an instance may take to make."""


def import_of(stage: Stage) -> Imported:
    found = imported(stage.subject.target)
    if found.problem:
        raise Failed(
            "not_importable",
            done=f"imported {stage.subject.target} in an interpreter of its own",
            expected="a module that can be imported",
            got=found.problem,
        )
    return found


@check("LOD-01", "An import has no side effect", why="The hub imports plugins to look at them.")
async def import_is_quiet(stage: Stage) -> None:
    """Import in an interpreter of its own, and look at sockets, files, processes, threads."""
    found = import_of(stage)
    did = [*found.seen, *(f"thread {name} begun" for name in found.threads)]
    if did:
        raise Failed(
            "import_acts",
            done=f"imported {stage.subject.target}",
            expected="no network, no file written, no process, no thread",
            got="; ".join(did)[:400],
        )


def _problems(stage: Stage, code: str, kinds: Iterable[checks.Kind]) -> None:
    """The load checks of the hub itself, as far as they are of these kinds."""
    found = checks.check_class(stage.subject.cls)
    unmarked = {each.partition(" ")[0] for each in found if each.kind == "mark"}
    problems = [
        each
        for each in found
        # What is there without its mark is not missing.
        if each.kind in kinds and (each.kind == "mark" or each.partition(" ")[0] not in unmarked)
    ]
    if problems:
        raise Failed(
            code,
            done=f"looked at the class {stage.subject.target}",
            expected="a class that the hub can load",
            got="; ".join(problems),
        )


@check("LOD-02", "The hooks are there", why="The hub calls exactly one hook of each name.")
async def hooks_are_there(stage: Stage) -> None:
    """Those that the role and the claims ask for, once each, ``async`` where they have to be."""
    _problems(stage, "hooks", ["hooks", "class"])


@check("LOD-03", "Every hook is marked", why="Without @hookimpl pluggy drops the hook silently.")
async def hooks_are_marked(stage: Stage) -> None:
    """Also where a subclass overrides one."""
    _problems(stage, "not_marked", ["mark"])


@check("LOD-04", "Hooks take plain arguments", why="pluggy would never pass any other.")
async def arguments_are_plain(stage: Stage) -> None:
    """No keyword-only ones, no defaults, no ``**kwargs``, and no wrappers."""
    _problems(stage, "arguments", ["arguments"])


@check("LOD-05", "The package says its range of hubs", why="It is compared before the import.")
async def package_says_its_range(stage: Stage) -> None:
    """In the metadata of the distribution whose entry point names the class."""
    package = stage.subject.distribution
    problems = (
        checks.check_package(package, hub.__version__)
        if package is not None
        else ["no installed package has an entry point for it in the group hub.plugins"]
    )
    if problems:
        raise Failed(
            "no_range",
            done="read the metadata of its package",
            expected=f"a dependency on {checks.PACKAGE} with a range that {hub.__version__} is in",
            got="; ".join(problems),
        )


@check("LOD-06", "Making an instance does nothing else", why="The hub makes one to check settings.")
async def construction_is_quiet(stage: Stage) -> None:
    """No network, no file, little time."""
    settings, context = stage.settings(), RecordedContext()
    gc.collect()
    gc.disable()  # what others have left is not for this instance to clear away
    try:
        begun = time.thread_time()
        stage.make(settings, context)
        seconds = (time.thread_time() - begun) / slowness()
    finally:
        gc.enable()
    did = [each.what for each in stage.guard.of("network", "write", "process")]
    if did:
        raise Failed(
            "construction_acts",
            done="made an instance",
            expected="no network, no file written, no process",
            got="; ".join(did),
        )
    if seconds > CONSTRUCTION:
        raise Failed(
            "slow_construction",
            done="made an instance",
            expected=f"at most {CONSTRUCTION * 1000:.0f} ms",
            got=f"{seconds * 1000:.0f} ms",
        )


@check("LOD-07", "INFO is well formed and true", why="What is claimed decides what is called.")
async def info_is_true(stage: Stage) -> None:
    """Name, label, version, flags; an optional hook is there if and only if it is claimed."""
    _problems(stage, "info", ["info", "claims"])


@check("LOD-08", "It starts, stops and starts again", why="A reload of hub.toml does just that.")
async def restarts(stage: Stage) -> None:
    """And leaves nothing running."""
    one = stage.make(stage.settings(), RecordedContext())
    if not (one.has("startup") or one.has("shutdown")):
        raise NotApplicable("it has neither startup nor shutdown")
    threads = set(threading.enumerate())
    for round_ in ("first", "second"):
        for hook in ("startup", "shutdown"):
            if not one.has(hook):
                continue
            outcome = await one.call(hook)
            if outcome.error is not None or outcome.fault is not None:
                raise Failed(
                    "restart_failed",
                    done=f"called {hook} for the {round_} time",
                    expected="no error",
                    got=str(outcome),
                )
    for _ in range(3):
        await asyncio.sleep(0)
    tasks = [str(task.get_coro()) for task in asyncio.all_tasks() - {asyncio.current_task()}]
    left = [
        *tasks,
        *(
            f"thread {thread.name}"
            for thread in set(threading.enumerate()) - threads
            if not thread.name.startswith("asyncio_")
        ),
    ]
    if left:
        raise Failed(
            "left_running",
            done="started and stopped it twice",
            expected="nothing left running",
            got="; ".join(left)[:400],
        )
