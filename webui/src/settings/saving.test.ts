import { describe, expect, it } from "vitest";

import { Refused, Unreachable } from "../core/problem";
import { Saver } from "./saving";

/** A server that answers when it is told to. */
function server() {
  const asked: { value: string; answer: (held: string) => void; fail: (why: Error) => void }[] = [];
  const store = (value: string) =>
    new Promise<string>((answer, fail) => asked.push({ value, answer, fail }));
  return { asked, store };
}

const turn = async () => {
  for (let at = 0; at < 5; at += 1) await Promise.resolve();
};

describe("a field that saves itself", () => {
  it("says that it saves, and that it has", async () => {
    const { asked, store } = server();
    const field = new Saver("a", store);
    const done = field.put("b");
    expect(field.state.get()).toEqual({ phase: "saving" });
    asked[0]?.answer("b");
    await done;
    expect(field.state.get()).toEqual({ phase: "saved" });
    field.type("bc");
    expect(field.state.get()).toEqual({ phase: "idle" });
  });

  it("asks nobody when there is nothing to save", async () => {
    const { asked, store } = server();
    const field = new Saver("a", store);
    field.type("b");
    field.type("a");
    await field.save();
    expect(asked).toEqual([]);
    expect(field.state.get()).toEqual({ phase: "idle" });
  });

  it("sends one change at a time, and the last in the end", async () => {
    const { asked, store } = server();
    const field = new Saver("a", store);
    const done = field.put("b");
    void field.put("c");
    void field.put("d");
    expect(asked.map(({ value }) => value)).toEqual(["b"]);
    asked[0]?.answer("b");
    await turn();
    expect(asked.map(({ value }) => value)).toEqual(["b", "d"]);
    expect(field.value.get()).toBe("d");
    asked[1]?.answer("d");
    await done;
    expect(field.state.get()).toEqual({ phase: "saved" });
  });

  it("keeps what was typed when it cannot be saved, says why, and tries again", async () => {
    const { asked, store } = server();
    const field = new Saver("a", store);
    const first = field.put("b");
    asked[0]?.fail(new Unreachable());
    await first;
    expect(field.value.get()).toBe("b");
    expect(field.state.get()).toEqual({ phase: "failed", why: "The server cannot be reached." });
    field.learn("z");
    expect(field.value.get()).toBe("b");
    const again = field.save();
    asked[1]?.answer("b");
    await again;
    expect(field.state.get()).toEqual({ phase: "saved" });
  });

  it("is saved again even as it was, after a failure nobody knows the outcome of", async () => {
    const { asked, store } = server();
    const field = new Saver("a", store);
    const first = field.put("b");
    asked[0]?.fail(new Refused(503, null, null));
    await first;
    const again = field.put("a");
    expect(asked[1]?.value).toBe("a");
    asked[1]?.answer("a");
    await again;
    expect(field.state.get()).toEqual({ phase: "saved" });
  });

  it("says what is wrong without asking", async () => {
    const { asked, store } = server();
    const field = new Saver("a", store, (value) => (value === "" ? "Enter a name." : null));
    await field.put("");
    expect(field.state.get()).toEqual({ phase: "failed", why: "Enter a name." });
    expect(asked).toEqual([]);
    const done = field.put("c");
    asked[0]?.answer("c");
    await done;
    expect(field.state.get()).toEqual({ phase: "saved" });
  });

  it("goes by what it heard meanwhile when it is tried again, or given up", async () => {
    const seen: string[] = [];
    const field = new Saver("a", async (value, held) => {
      seen.push(held);
      if (seen.length > 1) return value;
      field.learn("z");
      throw new Refused(412, null, null);
    });
    await field.put("b");
    expect(field.value.get()).toBe("b");
    await field.save();
    expect(seen).toEqual(["a", "z"]);
    field.type("c");
    field.discard();
    expect(field.value.get()).toBe("b");
    expect(field.state.get()).toEqual({ phase: "idle" });
  });

  it("says what is wrong with it without naming itself", async () => {
    const errors = [{ field: "quiet_hours.start", message: "not a time" }];
    const problem = { detail: "The request does not fit.", errors } as never;
    const field = new Saver("a", () => Promise.reject(new Refused(400, problem, null)));
    await field.put("b");
    expect(field.state.get()).toEqual({ phase: "failed", why: "not a time" });
  });

  it("shows what somebody else has changed, but never over what is being typed", () => {
    const field = new Saver("a", server().store);
    field.learn("b");
    expect(field.value.get()).toBe("b");
    field.type("bc");
    field.learn("d");
    expect(field.value.get()).toBe("bc");
  });
});
