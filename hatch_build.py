"""Build hook of the package."""

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class WebInterfaceHook(BuildHookInterface):
    """Builds the web interface into the package."""
