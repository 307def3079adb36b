"""Notices: mail that is no conversation, such as invitations.

Whoever has something to say queues a row with ``hub.store.notices.queue`` in its own transaction;
``Notices`` hands it to the mail server, at most once.
"""

from hub.flow.notices.sender import Notices

__all__ = ["Notices"]
