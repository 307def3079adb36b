import type { Call, Entry } from "./wire";
import { t } from "./words";

/** What a call is called: "Missed call", "Voicemail", "Call with Elif Kaya". */
export function callTitle(entry: Entry, call: Call, who: string | null): string {
  if (call.outcome === "voicemail") return t.call.voicemail(who);
  const missed = call.outcome !== null && call.outcome !== "answered" && call.outcome !== "unknown";
  return entry.direction === "in" && missed ? t.call.missed(who) : t.call.with(who);
}

/** Direction, outcome and length, as far as they are known. */
export function callFacts(entry: Entry, call: Call): string[] {
  const outcome =
    call.outcome && call.outcome !== "voicemail" ? t.call.outcome[call.outcome] : null;
  return [
    entry.direction === "in" ? t.call.incoming : t.call.outgoing,
    ...(outcome === null ? [] : [outcome]),
    ...(call.duration === null ? [] : [t.call.duration(Math.round(call.duration))]),
  ];
}

/** Whose words a line of the transcript is. */
export function speakerOf(who: string, contact: string): string {
  if (who === "customer") return contact;
  return who === "member" || who === "assistant" ? t.call.speaker[who] : who;
}

/** The line that is being said at a second of the recording, or -1. */
export function lineAt(call: Call, seconds: number): number {
  return call.lines.findLastIndex((line) => line.at !== null && line.at <= seconds);
}
