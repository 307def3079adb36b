"""Jobs: long work in steps, with progress, that goes on after a crash where it was.

A kind of job says how to take the next step; each step's effects in the database are committed
together with its progress. ``Jobs`` runs them, ``JobFeed`` shows them to those who started them.
"""

from hub.flow.jobs.feed import JobFeed, shown_job
from hub.flow.jobs.kinds import Commit, JobFailed, JobKind, Progress, Task
from hub.flow.jobs.runner import Jobs

__all__ = [
    "Commit",
    "JobFailed",
    "JobFeed",
    "JobKind",
    "Jobs",
    "Progress",
    "Task",
    "shown_job",
]
