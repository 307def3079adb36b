import { describe, expect, it } from "vitest";

import { callOf, entry } from "../../tests/world";
import { callFacts, callTitle, lineAt, speakerOf } from "./calls";

describe("a call", () => {
  const incoming = entry("e1", "t1");
  const outgoing = entry("e1", "t1", { direction: "out" });

  it.each([
    [incoming, "answered", "Call with Elif"],
    [incoming, "missed", "Missed call from Elif"],
    [incoming, "voicemail", "Voicemail from Elif"],
    [incoming, null, "Call with Elif"],
    [incoming, "unknown", "Call with Elif"],
    [outgoing, "missed", "Call with Elif"],
  ] as const)("is called what it was", (told, outcome, title) => {
    expect(callTitle(told, callOf({ outcome }), "Elif")).toBe(title);
  });

  it("is called without a name where nobody knows one", () => {
    const titles = (["answered", "missed", "voicemail"] as const).map((outcome) =>
      callTitle(incoming, callOf({ outcome }), null),
    );
    expect(titles).toEqual(["Call", "Missed call", "Voicemail"]);
  });

  it("says what is known of it", () => {
    expect(callFacts(incoming, callOf({ outcome: null }))).toEqual(["Incoming"]);
    const answered = callOf({ outcome: "answered", duration: 252.4 });
    expect(callFacts(outgoing, answered)).toEqual(["Outgoing", "answered", "4 min 12 s"]);
    const unknown = "nobody was told how it ended";
    expect(callFacts(incoming, callOf({ outcome: "unknown" }))).toEqual(["Incoming", unknown]);
    const voicemail = callOf({ outcome: "voicemail", duration: 38 });
    expect(callFacts(incoming, voicemail)).toEqual(["Incoming", "38 s"]);
  });

  it("knows whose words are being said", () => {
    const lines = [
      { at: 1, speaker: "assistant", text: "Hello" },
      { at: null, speaker: "customer", text: "Hi" },
      { at: 5, speaker: "Dr. Ng", text: "Well" },
    ];
    const call = callOf({ lines });
    expect([0.5, 1, 4.9, 60].map((at) => lineAt(call, at))).toEqual([-1, 0, 0, 2]);
    expect(lines.map((line) => speakerOf(line.speaker, "Elif"))).toEqual([
      "Assistant",
      "Elif",
      "Dr. Ng",
    ]);
  });
});
