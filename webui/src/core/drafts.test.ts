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

/** Numbers that look random, and are the same in every run. */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return Math.floor((state / 2 ** 32) * sides);
  };
}

describe("drafts, whatever is done in whatever order", () => {
  const people = ["c1", "c2", "c/2", "new"];
  const modes = ["a", "b", "note"];

  it.each(Array.from({ length: 40 }, (_, seed) => seed))(
    "never show anything of one contact or mode on another (%i)",
    (seed) => {
      const roll = dice(seed + 1);
      const { storage, clock, drafts: first } = make();
      let drafts = first;
      const expected = new Map<string, string>();
      const pick = () => {
        const [contact, mode] = [people[roll(4)] ?? "", modes[roll(3)] ?? ""];
        return { contact, mode, key: `${contact} ${mode}`, draft: drafts.open(contact, mode) };
      };
      const uploads: { draft: ReturnType<typeof pick>["draft"]; key: string; local: string }[] = [];
      for (let step = 0; step < 60; step += 1) {
        const { key, draft } = pick();
        const held = draft.content.get();
        switch (roll(7)) {
          case 0: {
            const text = `${key} ${String(step)}`;
            draft.write({ text, subject: key, cc: key });
            expected.set(key, text);
            break;
          }
          case 1: {
            const local = `${key} ${String(step)}`;
            draft.addFile(file({ local, name: key, state: "uploading" }));
            uploads.push({ draft, key, local });
            break;
          }
          case 2: {
            const done = uploads.pop();
            done?.draft.updateFile(done.local, { state: "ready", name: done.key });
            break;
          }
          case 3: {
            const taken = draft.take();
            expect(draft.empty).toBe(true);
            if (roll(2) === 0) draft.giveBack(taken, "refused", null);
            else expected.delete(key);
            break;
          }
          case 4:
            expect(held.text === "" || held.text.startsWith(`${key} `)).toBe(true);
            break;
          case 5:
            clock.pass(roll(600));
            break;
          default:
            drafts.flush();
            uploads.length = 0;
            drafts = make(storage, clock).drafts;
        }
      }
      for (const contact of people)
        for (const mode of modes) {
          const key = `${contact} ${mode}`;
          const { text, subject, cc, files } = drafts.open(contact, mode).content.get();
          expect(text).toBe(expected.get(key) ?? "");
          expect([subject, cc].filter((each) => each !== "" && each !== key)).toEqual([]);
          expect(files.filter(({ name }) => name !== key)).toEqual([]);
        }
    },
  );
});

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

  it("keep a template and the message they answer, and the words beside a template", () => {
    const { storage, clock, drafts } = make();
    const draft = drafts.open("c1", "a");
    const reply = { entry_id: "e1", text: "When?", direction: "in" as const };
    const template = { name: "hello", language: "en", values: { "1": "" }, text: "Hello {{1}}" };
    draft.write({ text: "Mine", reply, template });
    draft.learnText("Hello [1]");
    drafts.flush();
    const again = make(storage, clock).drafts.open("c1", "a").content.get();
    expect(again).toMatchObject({ text: "Mine", reply, template: { text: "Hello [1]" } });
    const taken = draft.take();
    expect(taken).toMatchObject({ text: "", files: [], reply, template: { name: "hello" } });
    expect(draft.content.get()).toMatchObject({ text: "Mine", reply: null, template: null });
    draft.giveBack(taken, "A value is missing.", null, { "1": "Missing" });
    expect(draft.content.get()).toMatchObject({
      text: "Mine",
      reply,
      template: { name: "hello" },
      faults: { "1": "Missing" },
    });
    draft.write({ template: null });
    draft.learnText("late");
    expect(draft.content.get()).toMatchObject({ template: null, faults: {} });
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

describe("drafts of a conversation that is out of reach", () => {
  it("are found by its id, also after a reload", () => {
    const { storage, clock, drafts } = make();
    drafts.belong("c1", "t1");
    drafts.open("c1", "a").write({ text: "For them" });
    drafts.open("c2", "a").write({ text: "For somebody else" });
    drafts.flush();
    const texts = (of: Drafts) => of.leftIn("t1").map((draft) => draft.content.get().text);
    expect(texts(drafts)).toEqual(["For them"]);
    expect(texts(make(storage, clock).drafts)).toEqual(["For them"]);
    expect(make(storage, clock).drafts.leftIn("t2")).toEqual([]);
  });
});

describe("drafts in two tabs", () => {
  const KEY = "hub.draft/u1/main/c1/a";

  /** Two tabs that keep their drafts in the same storage, and hear of each other. */
  function tabs() {
    const { storage, clock, drafts: first } = make();
    const { drafts: second } = make(storage, clock);
    let known = storage.get(KEY);
    /** What the browser tells a tab after the other one has changed its storage. */
    const tell = (tab: Drafts) => {
      const now = storage.get(KEY);
      tab.heard(KEY, known, now);
      known = now;
    };
    const text = (tab: Drafts) => tab.open("c1", "a").content.get().text;
    return { storage, clock, first, second, tell, text };
  }

  it("follow each other as long as one of them is written in", () => {
    const { first, second, tell, text } = tabs();
    first.open("c1", "a").write({ text: "Hello" });
    first.flush();
    tell(second);
    expect(text(second)).toBe("Hello");
    expect(second.waiting("c1").get()?.mode).toBe("a");
    first.open("c1", "a").take();
    first.flush();
    tell(second);
    expect(text(second)).toBe("");
    expect(second.waiting("c1").get()).toBeNull();
  });

  it("stay as they are once both are written in, and neither is lost", () => {
    const { storage, clock, first, second, tell, text } = tabs();
    first.open("c1", "a").write({ text: "Yours" });
    second.open("c1", "a").write({ text: "Mine" });
    second.flush();
    tell(first);
    first.flush();
    tell(second);
    expect([text(first), text(second)]).toEqual(["Yours", "Mine"]);
    first.open("c1", "a").take();
    first.flush();
    tell(second);
    expect(text(second)).toBe("Mine");
    clock.pass(1_000);
    expect(storage.get(KEY)).toContain("Mine");
    tell(first);
    expect(text(first)).toBe("Mine");
  });

  it("hear nothing of others, nor of what is being sent", () => {
    const { first, second } = tabs();
    const draft = first.open("c1", "a");
    draft.write({ text: "On its way" });
    first.keepSending(draft, draft.take(), "k1");
    second.heard("hub.draft/u2/main/c1/a", null, '{"text":"Not mine","at":1}');
    second.heard(KEY, null, null);
    second.heard(`${KEY}/k1`, null, '{"contact":"c1","mode":"a","text":"On its way","at":1}');
    expect(second.open("c1", "a").empty).toBe(true);
  });
});
