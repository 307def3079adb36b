import { screen } from "@testing-library/svelte";
import { describe, expect, it } from "vitest";

import { renderIn } from "../../tests/render";
import { ana, channel, row, settled, world } from "../../tests/world";
import type { ThreadRow } from "../core/wire";
import Row from "./Row.svelte";

const props = {
  id: "t1",
  position: 1,
  size: 1,
  current: false,
  reachable: true,
  scope: { status: "open", filter: "all", range: "30d" },
  open: () => undefined,
};

async function drawn(change: Partial<ThreadRow> = {}) {
  const made = world();
  made.inbox.channels.set(new Map([["a", channel("a", { name: "Text message" })]]));
  made.inbox.rows.put(row("t1", { sort_at: new Date().toISOString(), ...change }), 1);
  renderIn(made, Row, props);
  await settled();
  return made;
}

const name = () => screen.getByRole("link").textContent ?? "";

describe("a row", () => {
  it("is a link that opens in a new tab, named by what it shows", async () => {
    await drawn({ unread: 2 });
    const link = screen.getByRole("link", {
      name: "Contact t1, 2 unread, Text message, now, Hello",
    });
    expect(link.getAttribute("href")).toBe("/messages?conversation=t1");
    expect(screen.getByRole("listitem").getAttribute("aria-posinset")).toBe("1");
  });

  it.each([
    [{ unread: 3, needs_response: true }, "3", "Needs response"],
    [
      { preview: { text: "x", direction: "out", channel_id: "a", status: "failed" } },
      "Failed",
      "You: x",
    ],
    [
      { preview: { text: "x", direction: "out", channel_id: "a", status: "unknown" } },
      "Not confirmed",
      "You: x",
    ],
    [
      { preview: { text: "x", direction: "out", channel_id: "a", status: "sent", author: ana } },
      "",
      "Ana: x",
    ],
    [
      { preview: { text: "x", direction: "internal", channel_id: null, status: null } },
      "",
      "Note: x",
    ],
    [{ needs_response: true }, "Needs response", "Hello"],
    [{ status: "outbound_only" }, "Outbound only", "Hello"],
    [{ status: "closed" }, "Closed", "Hello"],
  ] as [Partial<ThreadRow>, string, string][])("%j says %s", async (change, end, also) => {
    await drawn(change);
    expect(name().replace(/\s+/g, " ")).toContain(end);
    expect(name().replace(/\s+/g, " ")).toContain(also);
  });

  it("says who it is assigned to", async () => {
    await drawn({ assignee: ana });
    expect(name()).toContain("Assigned to Ana Ruiz");
  });

  it("shows a waiting draft, and follows every change", async () => {
    const made = await drawn();
    made.inbox.drafts.open("c-t1", "a").write({ text: "Half a sen" });
    await settled();
    expect(screen.getByText("Draft")).toBeTruthy();
    made.inbox.rows.patch("t1", { contact: { id: "c-t1", name: "New Name", display: "New Name" } });
    await settled();
    expect(screen.getByText("New Name")).toBeTruthy();
  });

  it("says why it is about to leave", async () => {
    const made = await drawn();
    made.inbox.list.leaving.set(new Map([["t1", "Closed"]]));
    await settled();
    expect(screen.getByRole("listitem").className).toContain("leaving");
    expect(screen.getByText("Closed")).toBeTruthy();
  });
});
