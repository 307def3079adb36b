import { screen, within } from "@testing-library/svelte";
import userEvent from "@testing-library/user-event";
import { describe, expect, it } from "vitest";

import { renderIn } from "../../tests/render";
import { channel, minutesAgo, settled, world, type World } from "../../tests/world";
import type { Channel, Delivery } from "../core/wire";
import { router } from "../router.svelte";
import DeliveriesPage from "./DeliveriesPage.svelte";

const nowhere = { page: "deliveries", channel: null, state: null, delivery: null } as const;

function delivery(id: string, channel_id = "a"): Delivery {
  return {
    id,
    channel_id,
    state: "quarantined",
    reason: `Reason of ${id}`,
    source: "http",
    method: "POST",
    size: 3,
    attempts: 1,
    due_at: null,
    received_at: minutesAgo(3),
  };
}

function withDeliveries(made: World, id: string, items: Delivery[]): void {
  made.server
    .on(`GET /channels/${id}/deliveries`, { body: { items, next_cursor: null } })
    .on(`GET /channels/${id}/deliveries/counts`, { body: { quarantined: 0, unverified: 0 } });
}

async function opened(made: World, place: object = nowhere) {
  router.replace({ ...nowhere, ...place });
  const drawn = renderIn(made, DeliveriesPage, { inbox: made.inbox, place: router.place });
  await settled();
  return drawn;
}

const state = () => screen.getByRole("group", { name: "State of the channel" });

describe("the state of a channel", () => {
  it.each([
    ["ok", null, "Working"],
    ["transient", "could not be checked: the provider is away", "Passing trouble"],
    ["degraded", "ingest failed 5 times in a row", "Degraded"],
    ["needs_attention", "The token was revoked", "Needs attention"],
    ["off", "the plugin blocked its thread again and again", "Off"],
  ] as const)("%s is said in words, with the reason %s", async (said, reason, words) => {
    const made = world();
    const change: Partial<Channel> = { state: said, reason };
    made.server.on("GET /channels", { body: [channel("a", change)] });
    withDeliveries(made, "a", []);
    await opened(made);
    expect(state().textContent).toContain(words);
    if (reason !== null) expect(state().textContent).toContain(reason);
  });

  it("is asked for, and is then what everything else sees", async () => {
    const made = world();
    withDeliveries(made, "a", []);
    await opened(made);
    expect(state().textContent).not.toContain("Checked");
    made.server.on("POST /channels/a/check", {
      body: channel("a", { state: "needs_attention", reason: "The token was revoked" }),
    });
    await userEvent.setup().click(screen.getByRole("button", { name: "Check now" }));
    await settled();
    expect(state().textContent).toMatch(/Needs attention.*The token was revoked.*Checked at/s);
    expect(made.inbox.channels.get().get("a")?.state).toBe("needs_attention");
  });

  it("stays what it was when it cannot be asked", async () => {
    const made = world();
    withDeliveries(made, "a", []);
    await opened(made);
    made.server.on("POST /channels/a/check", () => new TypeError("no network"));
    await userEvent.setup().click(screen.getByRole("button", { name: "Check now" }));
    await settled();
    expect(state().textContent).toMatch(/Working.*It could not be checked.*cannot be reached/s);
  });
});

describe("the channels", () => {
  it("that were taken out of the configuration are named as that", async () => {
    const made = world();
    withDeliveries(made, "old", [delivery("1", "old")]);
    await opened(made, { channel: "old" });
    const choice = screen.getByRole<HTMLSelectElement>("combobox", { name: "Channel" });
    expect(choice.selectedOptions[0]?.textContent).toBe("old (taken out of the configuration)");
    expect(screen.queryByRole("button", { name: "Check now" })).toBeNull();
    expect(screen.getByText("Reason of 1")).toBeTruthy();
  });

  it("may be none", async () => {
    const made = world();
    made.server.on("GET /channels", { body: [] });
    await opened(made);
    expect(screen.getByText("There is no channel yet.")).toBeTruthy();
    expect(screen.queryByRole("combobox")).toBeNull();
  });

  it("that cannot be read are told from none, and asked for again", async () => {
    const made = world();
    made.server.on("GET /channels", () => new TypeError("no network"));
    await opened(made);
    expect(screen.getByRole("alert").textContent).toContain("The channels could not be loaded.");
    expect(screen.queryByText("There is no channel yet.")).toBeNull();
    made.server.on("GET /channels", { body: [channel("a")] });
    withDeliveries(made, "a", [delivery("1")]);
    await userEvent.setup().click(screen.getByRole("button", { name: "Try again" }));
    await settled();
    expect(screen.getByText("Reason of 1")).toBeTruthy();
  });
});

it("is walked by arrows and letters, from the first row to the last", async () => {
  const made = world();
  withDeliveries(made, "a", [delivery("3"), delivery("2"), delivery("1")]);
  await opened(made);
  const rows = within(screen.getByRole("list", { name: "Deliveries, newest first" }));
  const links = rows.getAllByRole("link");
  const user = userEvent.setup();
  links[0]?.focus();
  for (const [pressed, at] of [
    ["{ArrowUp}", 0],
    ["{ArrowDown}", 1],
    ["j", 2],
    ["j", 2],
    ["k", 1],
    ["{Home}", 0],
    ["{End}", 2],
  ] as const) {
    await user.keyboard(pressed);
    expect(document.activeElement).toBe(links[at]);
  }
  expect(router.place).toMatchObject({ delivery: null });
});

it("shows what a delivery would be, and how each message would look", async () => {
  const made = world();
  withDeliveries(made, "a", [delivery("1")]);
  const looks = {
    direction: "in",
    blocks: [],
    preview: "",
    warnings: [],
    wire: [],
    fault: null,
  };
  made.server
    .on("GET /channels/a/deliveries/1", {
      body: {
        ...delivery("1"),
        url: "http://hub.test/hooks/main/a",
        headers: [],
        remote: null,
        proof: null,
        body: { content_type: null, text: "abc", base64: null, cut: false, withheld: null },
        entries: [],
      },
    })
    .on("POST /channels/a/deliveries/1/dry-run", {
      body: {
        state: "done",
        reason: null,
        proof: null,
        more_events: 0,
        reply: null,
        events: [
          { type: "receipt", facts: {}, entry_id: null, thread_id: null, renderings: [] },
          {
            type: "message",
            facts: { text: "Hello", subject: null, media: [], echo: false },
            entry_id: null,
            thread_id: null,
            renderings: [
              { ...looks, surface: "timeline", fault: "render: ValueError: no such thing" },
              { ...looks, surface: "preview" },
              {
                ...looks,
                surface: "composer",
                direction: "out",
                preview: "Hello",
                warnings: ["3 segments"],
              },
              {
                ...looks,
                surface: "wire",
                direction: "out",
                wire: [{ text: "Hello", html: null, attachment_ids: ["1"], data: {} }],
              },
            ],
          },
        ],
      },
    });
  await opened(made, { channel: "a", delivery: "1" });
  await userEvent.setup().click(screen.getByRole("button", { name: "Try" }));
  await settled();
  // What was left out is not shown, what is false or empty of itself is.
  expect(screen.getByRole("region", { name: "receipt" }).textContent).toBe("{}");
  const facts = screen.getByRole("region", { name: "message" }).textContent;
  expect(JSON.parse(facts)).toEqual({ text: "Hello", echo: false });
  const [timeline, preview, composer, wire] = within(
    screen.getByText("How it looks").closest("details") as HTMLElement,
  )
    .getAllByRole("listitem", { hidden: true })
    .map((item) => item.textContent);
  expect(timeline).toMatch(/In the conversation.*render: ValueError: no such thing/s);
  expect(timeline).not.toContain("Nothing.");
  expect(preview).toMatch(/In a row of the list.*Nothing\./s);
  expect(composer).toMatch(/As if the same was sent from here.*Hello.*3 segments/s);
  expect(wire).toMatch(/At the provider.*Parts on the wire/s);
  const parts = screen.getByRole("region", { name: /Parts on the wire/, hidden: true }).textContent;
  expect(JSON.parse(parts)).toEqual([{ text: "Hello", attachment_ids: ["1"] }]);
});
