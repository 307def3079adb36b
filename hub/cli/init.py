"""``hub init``: a configuration to start from."""

from __future__ import annotations

import sys
from pathlib import Path

TEMPLATE = """\
# Configuration of Channel Hub. `hub check` names everything that is wrong with it, with the line.
# Any value may stand elsewhere: { env = "NAME" } in the environment, { file = "path" } in a file.

[hub]
# How the world reaches the hub; providers call it, and their signatures are checked against it.
# public_url = "https://hub.example.com"

# Where blobs and, on SQLite, the database are kept; relative to this file.
# data = "data"

# SQLite in the data folder unless another database is named.
# database = { env = "HUB_DATABASE_URL" }     # postgresql://user:password@host/hub

# Needed only when several processes serve one database.
# redis = "redis://localhost:6379/0"
# secret_key = { file = "secret-key" }        # at least 32 characters, the same for all of them
# accepted_secret_keys = [{ file = "former-secret-key" }]   # only while it is replaced: `hub keys`

# host = "127.0.0.1"
# port = 8000

# Reverse proxies in front of the hub: what these say of who asks (X-Forwarded-For) is believed.
# trusted_proxies = ["127.0.0.1", "10.0.0.0/8"]

# How often one session, one token, or one address without either may ask the API; 0: no limit.
# requests_a_minute = 6000

# The mail server for what is no conversation: invitations, forgotten passwords.
# [notices]
# host = "smtp.example.com"
# tls = "starttls"                            # on port 587; or "tls" on 465, "none" on 25
# username = "hub"
# password = { env = "SMTP_PASSWORD" }
# from = "Channel Hub <hub@example.com>"

# The channel through which an organisation's notices go as texts, such as codes to sign in.
# [[notices.texts]]
# organisation = "main"
# channel = "sms-support"
# from = "+15550100000"                       # one of the channel's own numbers; else its first

# A provider that people sign in with, by OpenID Connect. It sends them back to
# {public_url}/sign-in/company/back. Without organisation and role only who is invited comes in.
# [[sign_in]]
# id = "company"
# issuer = "https://accounts.example.com"
# client_id = "hub"
# client_secret = { env = "SIGN_IN_SECRET" }
# label = "Sign in with Example"
# email_domains = ["example.com"]
# organisation = "main"
# role = "User SMS"

[[organisations]]
slug = "main"
name = "Main"
time_zone = "UTC"                             # a name such as "Europe/London"

# A phone on a page, to try the hub with: texts, WhatsApp, calls and email. They reach nobody; take
# them out before real channels.
[[channels]]
id = "simulator"
organisation = "main"
plugin = "simulator"

[[channels]]
id = "simulator-whatsapp"
organisation = "main"
plugin = "simulator-whatsapp"

[[channels]]
id = "simulator-calls"
organisation = "main"
plugin = "simulator-calls"

[[channels]]
id = "simulator-email"
organisation = "main"
plugin = "simulator-email"

# [[channels]]
# id = "sms-support"
# organisation = "main"
# plugin = "sms-twilio"
# [channels.settings]
# account_sid = "AC…"
# auth_token = { env = "TWILIO_AUTH_TOKEN" }
"""


def initialise(path: Path) -> int:
    """Write the template to ``path`` and return the exit code; an existing file is left alone."""
    try:
        with path.open("x", encoding="utf-8") as file:
            try:
                file.write(TEMPLATE)
                file.flush()
            except OSError:
                path.unlink()  # half a configuration is worse than none
                raise
    except FileExistsError:
        print(f"hub: {path} is there already; it was left as it is", file=sys.stderr)
        return 1
    print(f"Wrote {path}. Look through it, then: hub check, hub serve")
    return 0
