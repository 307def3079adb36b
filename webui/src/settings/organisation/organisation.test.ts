import { describe, expect, it } from "vitest";

import { settled, world } from "../../../tests/world";
import { answerFault, languages, namesOf, wordsFault, wordsIn } from "./consent";
import {
  byDate,
  closingMeant,
  closingShown,
  faultOf,
  holidayFault,
  openOn,
  spansFor,
} from "./hours";
import { OrganisationSettings } from "./settings";

describe("hours", () => {
  it.each(["closed", "always", "hours"] as const)("a day that is %s is shown so", (open) => {
    expect(openOn(spansFor(open))).toBe(open);
  });

  it("with several spans, or a part of the day, are hours", () => {
    expect(openOn([{ opens: "00:00", closes: "23:00" }])).toBe("hours");
    const noon = { opens: "00:00", closes: "12:00" };
    expect(openOn([noon, { opens: "12:00", closes: "24:00" }])).toBe("hours");
  });

  it("end at midnight, which a field for times has only at the beginning", () => {
    expect(closingShown("24:00")).toBe("00:00");
    expect(closingMeant("00:00")).toBe("24:00");
    for (const time of ["00:30", "17:00", "23:59"]) {
      expect(closingShown(time)).toBe(time);
      expect(closingMeant(time)).toBe(time);
    }
  });

  it("are whole before they are saved", () => {
    expect(faultOf([{ opens: "09:00", closes: "" }])).toBe(
      "Enter when it opens and when it closes.",
    );
    expect(faultOf([])).toBeNull();
  });

  it("have each holiday once, in order", () => {
    const [first, second] = [
      { date: "2026-01-01", name: "New Year" },
      { date: "2026-12-25", name: "Christmas" },
    ] as const;
    expect(byDate([second, first])).toEqual([first, second]);
    expect(holidayFault([first], "2026-01-01")).toBe("That day stands there already.");
    expect(holidayFault([first], "")).toBe("Choose a date.");
    expect(holidayFault([first], "2026-01-02")).toBeNull();
  });
});

describe("words of consent", () => {
  it.each([
    ["halt, no   more ,halt", ["halt", "no more"]],
    ["stopp;\nbasta", ["stopp", "basta"]],
    [" , ,", []],
  ])("%j are %j", (text, words) => {
    expect(wordsIn(text)).toEqual(words);
  });

  it("are neither too long nor too many", () => {
    expect(wordsFault(["halt"])).toBeNull();
    expect(wordsFault(["x".repeat(41)])).toContain("longer than 40 characters");
    expect(wordsFault(Array.from({ length: 51 }, (_, at) => String(at)))).toBe("At most 50 words.");
    expect(answerFault("é".repeat(480))).toBeNull();
    expect(answerFault("é".repeat(481))).toBe("481 characters; at most 480 fit.");
  });

  it("are of languages in the order of their names", () => {
    const names = languages.map((code) => namesOf(languages)[code]);
    expect(names).toEqual([...names].sort());
  });
});

describe("what the organisation has set", () => {
  const quiet = { on: false, start: "21:00", end: "08:00" };
  const versions = (start: string, etag: string, more: object = {}) => ({
    body: { quiet_hours: { ...quiet, start, ...more } },
    headers: { ETag: etag },
  });

  async function read() {
    const made = world();
    made.server.on("GET /settings", versions("21:00", '"1"'));
    const settings = new OrganisationSettings(made.inbox);
    await settings.read();
    return { ...made, settings };
  }

  it("is changed in the version that was read", async () => {
    const { server, settings } = await read();
    server.on("PATCH /settings", versions("22:00", '"2"'));
    const field = settings.field("quiet_hours", "start");
    await field.put("22:00");
    expect(field.state.get()).toEqual({ phase: "saved" });
    const sent = server.last("PATCH /settings");
    expect(sent?.headers.get("If-Match")).toBe('"1"');
    expect(sent?.body).toEqual({ quiet_hours: { ...quiet, start: "22:00" } });
  });

  it("is read again and changed there, where somebody was faster elsewhere", async () => {
    const { server, settings } = await read();
    const field = settings.field("quiet_hours", "start");
    const other = settings.field("quiet_hours", "on");
    server.on("GET /settings", versions("21:00", '"2"', { on: true }));
    server.on("PATCH /settings", ({ headers }) =>
      headers.get("If-Match") === '"2"'
        ? versions("22:00", '"3"', { on: true })
        : { status: 412, body: { status: 412, detail: "Somebody was faster." } },
    );
    await field.put("22:00");
    expect(field.state.get()).toEqual({ phase: "saved" });
    expect(other.value.get()).toBe(true);
    expect(server.last("PATCH /settings")?.body).toEqual({
      quiet_hours: { ...quiet, start: "22:00", on: true },
    });
  });

  it("is not replaced where somebody was faster with the very same", async () => {
    const { server, settings } = await read();
    const field = settings.field("quiet_hours", "start");
    server.on("GET /settings", versions("20:00", '"2"'));
    server.on("PATCH /settings", ({ headers }) =>
      headers.get("If-Match") === '"2"'
        ? versions("22:00", '"3"')
        : { status: 412, body: { status: 412, detail: "Somebody was faster." } },
    );
    await field.put("22:00");
    expect(field.state.get()).toMatchObject({ phase: "failed" });
    expect(field.value.get()).toBe("22:00");
    expect(server.asked("PATCH /settings")).toBe(1);
    await field.save();
    expect(field.state.get()).toEqual({ phase: "saved" });
  });

  it("is read again when it changes, and when the stream is back", async () => {
    const { server, settings, inbox } = await read();
    const field = settings.field("quiet_hours", "start");
    const stop = settings.watch();
    await settled();
    server.on("GET /settings", versions("20:00", '"2"'));
    inbox.settingsChanged.set(11);
    await settled();
    expect(field.value.get()).toBe("20:00");
    stop();
    server.on("GET /settings", versions("19:00", '"3"'));
    inbox.settingsChanged.set(12);
    await settled();
    expect(field.value.get()).toBe("20:00");
  });

  it("says why it cannot be read, until it can", async () => {
    const made = world();
    made.server.on("GET /settings", { status: 503, body: { detail: "Not now." } });
    const settings = new OrganisationSettings(made.inbox);
    await settings.read();
    expect(settings.why.get()).toBe("Not now.");
    made.server.on("GET /settings", versions("21:00", '"1"'));
    await settings.read();
    expect(settings.why.get()).toBeNull();
    expect(settings.now.get()).not.toBeNull();
  });
});
