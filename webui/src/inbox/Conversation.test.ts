import { screen, within } from "@testing-library/svelte";
import userEvent from "@testing-library/user-event";
import { tick } from "svelte";
import { beforeAll, describe, expect, it } from "vitest";

import { renderIn } from "../../tests/render";
import { detail, entry, later, minutesAgo, page, row, settled, world } from "../../tests/world";
import { later as parts } from "../later";
import Conversation from "./Conversation.svelte";

// What is fetched later is here already, as it is in a page that has been idle.
beforeAll(async () => {
  await Promise.all(Object.values(parts).map((load) => load()));
}, 60_000);

const props = {
  showDetails: undefined,
  detailsOpen: false,
  back: () => undefined,
  entry: null,
  focused: false,
};

async function opened(...entries: ReturnType<typeof entry>[]) {
  const made = world();
  if (entries.length > 0) made.server.on("GET /threads/t1/entries", { body: page(entries) });
  made.inbox.start({ status: "open", filter: "all" });
  made.sockets.say({ type: "hello", position: 10 });
  await settled();
  await made.inbox.open("t1");
  const drawn = renderIn(made, Conversation, { ...props, thread: made.inbox.thread("t1") });
  await settled();
  return { ...made, drawn };
}

const field = () => screen.getByRole<HTMLTextAreaElement>("textbox");

describe("what was told of a message", () => {
  it("shows the newest words, the earlier ones, and what it answers", async () => {
    await opened(
      entry("e1", "t1", {
        text: "At nine",
        edited_at: minutesAgo(1),
        wordings: [{ text: "At seven", at: minutesAgo(2) }],
        answers: { entry_id: "e0", text: "When?", direction: "out" },
      }),
    );
    expect(screen.getByLabelText("In answer to").textContent.trim()).toBe("When?");
    expect(screen.getByText("Edited").tagName).toBe("SUMMARY");
    expect(
      screen.getByRole("list", { name: "Earlier wordings", hidden: true }).textContent,
    ).toContain("At seven");
  });

  it("folds away what was taken back", async () => {
    await opened(entry("e1", "t1", { text: "Rude", deleted_at: minutesAgo(1) }));
    const summary = screen.getByText("Taken back by the sender");
    expect(screen.getByText("Rude").closest("details")).toBe(summary.closest("details"));
  });

  it("shows each reaction once, with everybody whose it is", async () => {
    const at = minutesAgo(1);
    const reactions = [
      { emoji: "👍", by: "Ana", at },
      { emoji: "👍", by: "Ben", at },
      { emoji: "❤️", by: "Cy", at },
    ];
    await opened(entry("e1", "t1", { reactions }));
    const names = screen.getAllByRole("img").map((one) => one.getAttribute("aria-label"));
    expect(names).toEqual(expect.arrayContaining(["👍 by Ana, Ben", "❤️ by Cy"]));
  });

  it("tells how often it was opened and which link was followed last", async () => {
    const first_at = minutesAgo(3);
    const last_at = minutesAgo(2);
    await opened(
      entry("e1", "t1", {
        direction: "out",
        author: { kind: "elsewhere", id: null, name: null },
        engagement: {
          opened: { count: 3, first_at, last_at },
          clicked: { count: 1, first_at, last_at },
          clicked_url: "https://a.example",
        },
      }),
    );
    expect(screen.getByText("Opened 3× · Clicked")).toBeTruthy();
    expect(screen.getByText("https://a.example")).toBeTruthy();
    expect(screen.getByText("Sent elsewhere")).toBeTruthy();
  });
});

describe("a call", () => {
  it("shows how it went, what was said and what the agent reports", async () => {
    await opened(
      entry("e1", "t1", {
        kind: "call",
        group: "calls",
        attachments: [
          {
            id: "a1",
            name: "call.mp3",
            content_type: "audio/mpeg",
            size: 1,
            state: "ready",
            reason: null,
            url: "/call.mp3",
            inline: true,
            mismatched: false,
            width: null,
            height: null,
          },
        ],
        call: {
          outcome: "answered",
          duration: 252,
          ended_at: minutesAgo(1),
          lines: [{ at: 62.5, speaker: "customer", text: "It leaks" }],
          voicemail: null,
          summary: "Wants a boiler",
          facts: [["Address", "12 High Street"]],
          result: "qualified",
          follow_up: "Call back",
          due_at: null,
          follow_up_done_at: null,
          handed_over: false,
          unresolved: false,
          resolved_at: null,
          resolved_by: null,
          member: null,
          live: false,
        },
      }),
    );
    const card = within(screen.getByRole("article", { name: "Call with Contact t1" }));
    expect(card.getByText(/^Incoming · answered · 4 min 12 s/)).toBeTruthy();
    const player = within(card.getByRole("group", { name: "call.mp3" }));
    expect(player.getByRole("slider").getAttribute("aria-valuetext")).toBe("0:00 of 4:12");
    expect(card.getByRole("button", { name: "Play from 1:02" })).toBeTruthy();
    expect(card.queryByRole("button", { name: "Mark resolved" })).toBeNull();
    expect(screen.getByText("1:02")).toBeTruthy();
    for (const words of ["It leaks", "Wants a boiler", "12 High Street", "qualified", "Call back"])
      expect(screen.getByText(words)).toBeTruthy();
  });
});

describe("a conversation", () => {
  it("sends with Enter, breaks the line with Shift and Enter, and shows it at once", async () => {
    const made = await opened();
    const answer = later<{ status: number; body: unknown }>();
    made.server.on("POST /threads/t1/messages", () => answer.promise);
    const user = userEvent.setup();
    await user.type(field(), "One{Shift>}{Enter}{/Shift}two");
    expect(field().value).toBe("One\ntwo");
    await user.keyboard("{Enter}");
    expect(field().value).toBe("");
    expect(document.activeElement).toBe(field());
    expect(screen.getByRole("log").textContent).toContain("One\ntwo");
    answer.keep({ status: 201, body: entry("e9", "t1", { direction: "out", text: "One\ntwo" }) });
    await settled();
    expect(screen.getAllByText(/One/)).toHaveLength(1);
  });

  it("never sends while an input method is composing", async () => {
    const made = await opened();
    await userEvent.setup().type(field(), "こんにち");
    const press = new KeyboardEvent("keydown", { key: "Enter", isComposing: true, bubbles: true });
    field().dispatchEvent(press);
    await settled();
    expect(made.server.asked("POST /threads/t1/messages")).toBe(0);
  });

  it("sends what was entered before the conversation had loaded, unless it was changed", async () => {
    for (const more of ["", "!"]) {
      const made = world();
      const slow = later<{ body: unknown }>();
      made.server
        .on("GET /threads/t1", () => slow.promise)
        .on("POST /threads/t1/messages", { status: 201, body: entry("e9", "t1") });
      made.inbox.start({ status: "open", filter: "all" });
      await settled();
      void made.inbox.open("t1");
      const drawn = renderIn(made, Conversation, { ...props, thread: made.inbox.thread("t1") });
      await tick();
      await userEvent.setup().type(field(), `Early{Enter}${more}`);
      slow.keep({ body: detail("t1") });
      await settled();
      expect(made.server.asked("POST /threads/t1/messages")).toBe(more === "" ? 1 : 0);
      drawn.unmount();
    }
  });

  it("keeps a draft with its contact when one switches in the same breath", async () => {
    const made = await opened();
    const slow = later<{ body: unknown }>();
    made.server
      .on("GET /threads/t2", () => slow.promise)
      .on("POST /threads/t2/messages", ({ body }) => ({
        status: 201,
        body: entry("f9", "t2", { direction: "out", text: String(body["body"]) }),
      }));
    const user = userEvent.setup();
    await user.type(field(), "Only for the first");
    void made.inbox.open("t2");
    made.drawn.unmount();
    renderIn(made, Conversation, { ...props, thread: made.inbox.thread("t2") });
    await tick();
    expect(field().value).toBe("");
    await user.keyboard("{Enter}");
    slow.keep({ body: detail("t2") });
    await settled();
    await user.type(field(), "For the second{Enter}");
    await settled();
    const sent = made.server.requests.filter((request) => /messages$/.test(request.route));
    expect(sent.map((request) => [request.body["contact_id"], request.body["body"]])).toEqual([
      ["c-t2", "For the second"],
    ]);
    expect(made.inbox.drafts.open("c-t1", "a").content.get().text).toBe("Only for the first");
  });

  it("counts, and names what makes a text wide", async () => {
    await opened();
    const user = userEvent.setup();
    await user.type(field(), "“Hi”");
    expect(screen.getByText("UCS-2 · 66 left · 1 segment")).toBeTruthy();
    await user.click(screen.getByRole("button", { name: "Replace" }));
    expect(field().value).toBe('"Hi"');
    expect(screen.getByText("GSM-7 · 156 left · 1 segment")).toBeTruthy();
  });

  it("shows a mode that cannot be used, with the reason, and does not choose it", async () => {
    await opened();
    const blocked = screen.getByRole("button", { name: /Channel b/ });
    expect(blocked.getAttribute("aria-disabled")).toBe("true");
    await userEvent.setup().click(blocked);
    expect(blocked.getAttribute("aria-pressed")).toBe("false");
    expect(screen.getAllByText("Opted out on 3 May").length).toBeGreaterThan(0);
  });

  it("writes notes in a field of their own, that customers never see", async () => {
    const made = await opened();
    made.server.on("POST /threads/t1/notes", {
      status: 201,
      body: entry("n1", "t1", { kind: "note", direction: "internal", text: "For us" }),
    });
    const user = userEvent.setup();
    await user.type(field(), "For the customer");
    await user.click(screen.getByRole("button", { name: "Note" }));
    expect(field().value).toBe("");
    await user.type(field(), "For us");
    await user.click(screen.getByRole("button", { name: "Add note" }));
    await settled();
    expect(made.server.last("POST /threads/t1/notes")?.body).toEqual({ body: "For us" });
    expect(screen.getByText("Internal note")).toBeTruthy();
    await user.click(screen.getByRole("button", { name: /Channel a/ }));
    expect(field().value).toBe("For the customer");
  });

  it("returns a refused message to the field, and says why", async () => {
    const made = await opened();
    made.server.on("POST /threads/t1/messages", {
      status: 422,
      body: { type: "", title: "", status: 422, detail: "Opted out." },
    });
    await userEvent.setup().type(field(), "Hello{Enter}");
    await settled();
    expect(field().value).toBe("Hello");
    expect(screen.getByRole("alert").textContent).toBe("Not sent: Opted out.");
  });

  it("says what became of each message, and offers what can be done", async () => {
    const out = { direction: "out", author: { kind: "member", id: "m1", name: "Mira" } } as const;
    const at = (minutes: number) => ({ occurred_at: minutesAgo(minutes) });
    const made = await opened(
      entry("e1", "t1", { ...out, ...at(60), status: "delivered" }),
      entry("e2", "t1", {
        ...out,
        ...at(50),
        status: "failed",
        status_reason: "no such number",
        can_retry: true,
      }),
      entry("e3", "t1", { ...out, ...at(40), status: "unknown", can_resolve: true }),
      entry("e4", "t1", { ...out, ...at(30), status: "canceled" }),
      entry("e5", "t1", { ...out, ...at(20), status: "pending_approval", can_cancel: true }),
      entry("e6", "t1", { ...at(15), kind: "call", text: "Missed call" }),
      entry("e7", "t1", { ...at(10), kind: "from the future" as never, text: "" }),
    );
    for (const words of [
      "Delivered",
      "Failed: no such number",
      "Not confirmed by the provider",
      "Canceled",
      "Waiting for approval",
      "Missed call",
      "An entry this page cannot show in full",
    ])
      expect(screen.getByText(words)).toBeTruthy();
    made.server.on("POST /entries/e2/retry", {
      body: entry("e2", "t1", { ...out, status: "sent", status_at: minutesAgo(0) }),
      position: 20,
    });
    await userEvent.setup().click(screen.getByRole("button", { name: "Retry" }));
    await settled();
    expect(screen.queryByText("Failed: no such number")).toBeNull();
  });

  it("folds three or more events into one line", async () => {
    const event = (id: string, type: string) =>
      entry(id, "t1", { kind: "system", direction: "internal", event: { type, by: "Ana" } });
    await opened(event("s1", "closed"), event("s2", "reopened"), event("s3", "closed"));
    const fold = screen.getByRole("button", { name: "1 more" });
    expect(screen.getAllByText("Closed by Ana")).toHaveLength(1);
    await userEvent.setup().click(fold);
    expect(screen.getAllByText("Closed by Ana")).toHaveLength(2);
  });

  it("is closed, reopened and marked, from its head", async () => {
    const made = await opened();
    made.server.on("PATCH /threads/t1", ({ body }) => ({ body: row("t1", body), position: 20 }));
    const user = userEvent.setup();
    await user.click(screen.getByRole("switch", { name: "Needs response" }));
    await user.click(screen.getByRole("button", { name: "Close conversation" }));
    await settled();
    expect(made.server.last("PATCH /threads/t1")?.body).toEqual({ status: "closed" });
    await user.click(screen.getByRole("button", { name: "Reopen conversation" }));
    await settled();
    expect(made.inbox.rows.get("t1")?.status).toBe("open");
  });

  it("says that it is gone, and leads back", async () => {
    const made = world();
    await made.inbox.open("t9");
    renderIn(made, Conversation, { ...props, thread: made.inbox.thread("t9") });
    expect(screen.getByText("This conversation is gone or out of your reach.")).toBeTruthy();
  });

  it("keeps what it shows when it cannot load, and offers to try again", async () => {
    const made = world();
    made.server.on("GET /threads/t1/entries", { status: 500 });
    await made.inbox.open("t1");
    renderIn(made, Conversation, { ...props, thread: made.inbox.thread("t1") });
    expect(screen.getByRole("alert").textContent).toContain("could not be loaded");
    made.server.on("GET /threads/t1/entries", { body: page([entry("e1", "t1")]) });
    await userEvent.setup().click(screen.getByRole("button", { name: "Try again" }));
    await settled();
    expect(screen.getByText("Text of e1")).toBeTruthy();
    expect(screen.queryByRole("alert")).toBeNull();
  });
});
