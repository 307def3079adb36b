"""Notices: mails and texts that are no conversation, such as invitations and codes to sign in.

Whoever has something to say queues a row in its own transaction, a mail with
``hub.store.notices.queue``, a text with ``Notices.queue_text``. ``Notices`` hands it to the mail
server, or to the channel that is set for texts, at most once.
"""

from hub.flow.notices.sender import Notices
from hub.flow.notices.text import Texter, TextSender, reaches_phones

__all__ = ["Notices", "TextSender", "Texter", "reaches_phones"]
