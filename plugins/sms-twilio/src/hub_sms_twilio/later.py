"""What every hook that asks Twilio does around the asking."""

from __future__ import annotations

from collections.abc import Awaitable
from importlib import import_module
from types import ModuleType

from hub.plugin import Context, CredentialsInvalid, Health, HookError, OutcomeUnknown, Temporary


class Later:
    """A module that needs Twilio's client: imported when it is first needed, and not on the
    channel's loop. Whoever comes while it is being imported waits for the whole of it; in
    ``sys.modules`` it is found half done."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._imported: ModuleType | None = None

    async def __call__(self, ctx: Context) -> ModuleType:
        """The module."""
        if self._imported is None:
            self._imported = await ctx.run_blocking(import_module, self._name)
        return self._imported


async def health_of(asked: Awaitable[Health]) -> Health:
    """How the channel is, where asking may raise as well."""
    try:
        return await asked
    except CredentialsInvalid as error:
        return Health(state="needs_attention", reason=error.detail)
    except (Temporary, OutcomeUnknown) as error:
        return Health(state="transient", reason=error.detail)
    except HookError as error:
        return Health(state="degraded", reason=error.detail)
