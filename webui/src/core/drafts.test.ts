import { describe, expect, it } from "vitest";

import { MemoryStorage, TestClock } from "../../tests/world";
import { Drafts, type DraftFile } from "./drafts";

const file = (change: Partial<DraftFile> = {}): DraftFile => ({
  local: "l1",
  name: "a.png",
  size: 1,
  state: "ready",
  progress: 1,
  reason: null,
  attachment: null,
  ...change,
});

function make(storage = new MemoryStorage(), clock = new TestClock(), person = "u1") {
  return { storage, clock, drafts: new Drafts(person, "main", storage, clock) };
}

describe("drafts", () => {
  it("belong to one contact and one mode", () => {
    const { drafts } = make();
    drafts.open("c1", "a").write({ text: "For the first" });
    expect(drafts.open("c2", "a").content.get().text).toBe("");
    expect(drafts.open("c1", "note").content.get().text).toBe("");
    expect(drafts.open("c1", "a").content.get().text).toBe("For the first");
    expect(drafts.waiting("c1").get()?.mode).toBe("a");
    expect(drafts.waiting("c2").get()).toBeNull();
  });

  it("are written down 300 ms after the last key, and survive a reload", () => {
    const { storage, clock, drafts } = make();
    const draft = drafts.open("c1", "a");
    draft.write({ text: "H" });
    clock.pass(299);
    draft.write({ text: "Hi" });
    clock.pass(299);
    expect(storage.keys()).toEqual([]);
    clock.pass(1);
    expect(make(storage, clock).drafts.open("c1", "a").content.get().text).toBe("Hi");
    expect(make(storage, clock, "u2").drafts.open("c1", "a").content.get().text).toBe("");
    draft.write({ text: "" });
    drafts.flush();
    expect(storage.keys()).toEqual([]);
  });

  it("are gone after thirty days, after signing out, and when unreadable", () => {
    const { storage, clock, drafts } = make();
    drafts.open("c1", "a").write({ text: "Old" });
    drafts.flush();
    storage.set("hub.draft/u1/main/x/y", "not json");
    storage.set("hub.theme", "{}");
    clock.pass(31 * 24 * 60 * 60_000);
    const later = make(storage, clock).drafts;
    expect(storage.keys()).toEqual(["hub.theme"]);
    later.open("c1", "a").write({ text: "New" });
    later.flush();
    later.open("c2", "a").write({ text: "Unsaved" });
    later.forget();
    clock.pass(1000);
    expect(storage.keys()).toEqual(["hub.theme"]);
  });

  it("bring back what was being sent when the page went away, under its key", () => {
    const { storage, clock, drafts } = make();
    const draft = drafts.open("c1", "a");
    draft.write({ text: "On its way" });
    const taken = draft.take();
    drafts.keepSending(draft, taken, "k1");
    drafts.flush();
    expect(draft.empty).toBe(true);
    const again = make(storage, clock).drafts.open("c1", "a");
    expect(again.content.get()).toMatchObject({ text: "On its way", key: "k1" });
    again.write({ text: "Changed" });
    expect(again.content.get().key).toBeNull();
  });

  it("give back what was refused, before what was written since", () => {
    const { drafts } = make();
    const draft = drafts.open("c1", "a");
    draft.write({ text: "First" });
    const taken = draft.take();
    draft.giveBack(taken, "Opted out", null);
    expect(draft.content.get()).toMatchObject({ text: "First", refusal: "Opted out" });
    const again = draft.take();
    draft.write({ text: "Second" });
    draft.giveBack(again, "Opted out", null);
    expect(draft.content.get().text).toBe("First\nSecond");
  });

  it("keep files that are up, and forget the rest", () => {
    const { storage, clock, drafts } = make();
    const draft = drafts.open("c1", "a");
    draft.addFile(file());
    draft.addFile(file({ local: "l2", state: "uploading" }));
    draft.updateFile("l2", { progress: 0.5 });
    drafts.flush();
    const files = make(storage, clock).drafts.open("c1", "a").content.get().files;
    expect(files.map((each) => each.local)).toEqual(["l1"]);
    draft.removeFile("l1");
    draft.removeFile("l2");
    expect(draft.empty).toBe(true);
  });
});
