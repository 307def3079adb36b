"""Wrong in how things look."""

from __future__ import annotations

import itertools

from msgspec.structs import replace

from hub.conformance.mutants.mutant import wrong
from hub.conformance.mutants.reference import MAX_LENGTH, Reference
from hub.plugin import Context, Html, Item, Rendered, Surface, hookimpl

_count = itertools.count()


class Repainting(Reference):
    """The reference, with its renderings passed through ``repaint``."""

    def repaint(self, ctx: Context, item: Item, surface: Surface, shown: Rendered) -> Rendered:
        """The rendering as it is shown."""
        return shown

    @hookimpl
    def render(self, ctx: Context, item: Item, surface: Surface) -> Rendered:
        return self.repaint(ctx, item, surface, super().render(ctx, item, surface))


@wrong("RND-01", "not_pure")
class CountsRenderings(Repainting):
    """No two previews are the same."""

    def repaint(self, ctx: Context, item: Item, surface: Surface, shown: Rendered) -> Rendered:
        counted = surface == "preview" and not item.text
        return replace(shown, preview=f"{next(_count)} files") if counted else shown


@wrong("RND-02", "other_rendering")
class CallsFilesPictures(Repainting):
    """Its own cases say otherwise."""

    def repaint(self, ctx: Context, item: Item, surface: Surface, shown: Rendered) -> Rendered:
        alone = bool(item.attachments) and not item.text and surface == "timeline"
        return replace(shown, preview="Picture") if alone else shown


@wrong("RND-03", "not_text")
class ShowsMarkup(Repainting):
    """What looks like markup is markup to it."""

    def repaint(self, ctx: Context, item: Item, surface: Surface, shown: Rendered) -> Rendered:
        if "<" not in item.text or surface != "timeline":
            return shown
        return replace(shown, blocks=(Html(html=ctx.clean_html(item.text)),))


@wrong("RND-04", "other_wire")
class SignsItsTexts(Repainting):
    """It adds a line that nobody sees before it goes out."""

    def repaint(self, ctx: Context, item: Item, surface: Surface, shown: Rendered) -> Rendered:
        parts = tuple(replace(part, text=f"{part.text}\nSent by a hub") for part in shown.wire)
        return replace(shown, wire=parts)


@wrong("RND-05", "silent")
class DropsSubjects(Repainting):
    """It says nothing of the subject that is left out."""

    def repaint(self, ctx: Context, item: Item, surface: Surface, shown: Rendered) -> Rendered:
        warnings = tuple(each for each in shown.warnings if "subject" not in each)
        return replace(shown, warnings=warnings)


@wrong("RND-06", "limits_differ")
class WarnsTooLate(Repainting):
    """It warns one past the limit, and the limit is another."""

    def repaint(self, ctx: Context, item: Item, surface: Surface, shown: Rendered) -> Rendered:
        return shown if len(item.text) != MAX_LENGTH + 1 else replace(shown, warnings=())


@wrong("RND-07", "long")
class NotifiesAtLength(Repainting):
    """The whole text, in one line."""

    def repaint(self, ctx: Context, item: Item, surface: Surface, shown: Rendered) -> Rendered:
        whole = " ".join(item.text.split())
        return (
            replace(shown, preview=whole or shown.preview) if surface == "notification" else shown
        )
