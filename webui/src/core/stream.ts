import { Cell } from "./cell";
import type { Clock } from "./clock";
import { queryOf, withoutSearch } from "./scope";
import type { Change, Counts, Frame, PersonThere, Scope, StreamMessage } from "./wire";

export interface Socket {
  send(text: string): void;
  close(): void;
}

export interface SocketEvents {
  open(): void;
  message(text: string): void;
  closed(): void;
}

export interface StreamPorts {
  clock: Clock;
  random: () => number;
  /** Opens a socket for changes after `since`; `null` is now. */
  connect: (since: number | null, events: SocketEvents) => Socket;
  /**
   * What changed after a position; with `wait`, the answer may take that many seconds. `null`: only
   * where now is.
   */
  changes: (
    since: number | null,
    wait: number,
    signal?: AbortSignal,
  ) => Promise<Frame | { type: "reload"; position: number }>;
}

export interface StreamEvents {
  changes: (changes: readonly Change[]) => void;
  counts: (counts: Counts, position: number) => void;
  /** What is on screen may be too old to be patched: read it again. */
  reload: () => void;
  /** The stream is back after a pause that was shown; so many changes were made up for. */
  resumed: (changes: readonly Change[]) => void;
}

export type StreamState = "connecting" | "live" | "polling" | "down";

const BANNER_AFTER = 5_000;
const PING_EVERY = 25_000;
const PONG_WITHIN = 10_000;
const POLL_WAIT = 25;
const LONGEST_WAIT = 30_000;
/** After so long without a socket the changes are asked for, until there is one. */
const POLL_AFTER = 3_000;
/** While that works, a socket is tried less often. */
const LONGEST_WAIT_POLLED = 120_000;

/**
 * Keeps one connection to the stream and hands over every change once, in order.
 *
 * The last position applied is what counts: a frame that ends before it is old, one that does not
 * begin at it means something was missed, which is then asked for.
 */
export class Stream {
  readonly state = new Cell<StreamState>("connecting");
  /** What was told last of who else is in a conversation. */
  readonly there = new Cell<{ thread_id: string; people: readonly PersonThere[] } | null>(null);
  /** Whether updates have been away for long enough to say so. */
  readonly paused = new Cell(false);

  #last: number | null = null;
  #began: number | null = null;
  #socket: Socket | null = null;
  #generation = 0;
  #failures = 0;
  #scope: Scope | null = null;
  #filling = false;
  #held: Frame[] = [];
  #stopped = true;
  #missed: Change[] | null = null;
  #caughtUpAt = 0;
  #poll: AbortController | null = null;
  #pollFailures = 0;
  readonly #timers = new Map<string, () => void>();

  constructor(
    private readonly ports: StreamPorts,
    private readonly events: StreamEvents,
  ) {}

  /** The last position applied. */
  get position(): number | null {
    return this.#last;
  }

  /** The position from which on everything is told; `null` while nothing is. */
  get began(): number | null {
    return this.#began;
  }

  start(): void {
    this.#stopped = false;
    this.#away();
    this.#connect();
  }

  stop(): void {
    this.#stopped = true;
    this.#generation += 1;
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
    this.#stopPolling();
    this.#socket?.close();
    this.#socket = null;
    this.#last = this.#began = null;
    this.#held = [];
    this.#filling = false;
    this.#missed = null;
    this.#failures = 0;
    this.state.set("connecting");
    this.paused.set(false);
  }

  /** Tries at once instead of waiting for the next turn; a socket is asked whether it still is one. */
  retryNow(): void {
    if (this.#stopped) return;
    if (this.state.get() === "live") {
      this.#probe();
      return;
    }
    this.#failures = 0;
    if (!this.#timers.has("opening")) this.#connect();
    if (this.paused.get() && this.#poll === null) void this.#keepPolling();
  }

  /** Whether changes come, by the socket or without. */
  get reached(): boolean {
    return this.state.get() === "live" || this.state.get() === "polling";
  }

  /** Tells the server which counts to send. */
  show(scope: Scope): void {
    this.#scope = scope;
    if (this.state.get() === "live") this.#sendScope();
  }

  /** Says where the person is; without a socket nobody hears it. */
  sayAt(thread: string | null, typing = false): void {
    if (this.state.get() === "live") this.#socket?.send(JSON.stringify({ at: { thread, typing } }));
  }

  #sendScope(): void {
    if (!this.#scope) return;
    const show = queryOf(withoutSearch(this.#scope));
    this.#socket?.send(JSON.stringify({ show }));
  }

  #timer(name: string, ms: number, run: () => void): void {
    this.#timers.get(name)?.();
    this.#timers.set(name, this.ports.clock.after(ms, run));
  }

  #cancel(name: string): void {
    this.#timers.get(name)?.();
    this.#timers.delete(name);
  }

  /** Without a socket: from here on the other way is taken, and people are told. */
  #away(): void {
    if (this.#poll === null && !this.#timers.has("poll"))
      this.#timer("poll", POLL_AFTER, () => void this.#keepPolling());
    if (this.paused.get() || this.#timers.has("banner")) return;
    if (this.state.get() === "polling") return;
    this.#timer("banner", BANNER_AFTER, () => {
      this.#timers.delete("banner");
      this.#missed = [];
      this.paused.set(true);
    });
  }

  #connect(): void {
    this.#cancel("retry");
    this.#socket?.close();
    const generation = ++this.#generation;
    const current = () => generation === this.#generation;
    this.#timer("opening", PONG_WITHIN, () => {
      if (current()) this.#lost();
    });
    this.#socket = this.ports.connect(this.#last, {
      open: () => undefined,
      message: (text) => {
        if (current()) this.#receive(JSON.parse(text) as StreamMessage);
      },
      closed: () => {
        if (current()) this.#lost();
      },
    });
  }

  #receive(message: StreamMessage): void {
    if (message.type === undefined) {
      this.#frame(message);
      return;
    }
    switch (message.type) {
      case "hello":
        this.#hello(message.position);
        break;
      case "reload":
        this.#reload(message.position);
        break;
      case "counts":
        this.events.counts(message.counts, message.position);
        break;
      case "presence":
        this.there.set(message);
        break;
      case "pong":
        this.#cancel("pong");
        break;
    }
  }

  #hello(position: number): void {
    this.#cancel("opening");
    this.#stopPolling();
    this.#failures = 0;
    this.#began ??= position;
    this.state.set("live");
    this.#ping();
    this.#sendScope();
    if (this.#last === null) this.#last = position;
    else if (this.#last > position) this.#reload(position);
    this.#caughtUpAt = position;
    this.#settled();
  }

  #ping(): void {
    this.#timer("ping", PING_EVERY, () => {
      this.#probe();
      this.#ping();
    });
  }

  /** A network that went away took the socket with it without a word. */
  #probe(): void {
    if (this.#timers.has("pong")) return;
    this.#socket?.send(JSON.stringify({ ping: true }));
    this.#timer("pong", PONG_WITHIN, () => {
      this.#lost();
    });
  }

  #lost(): void {
    this.#generation += 1;
    for (const name of ["opening", "ping", "pong"]) this.#cancel(name);
    this.#socket?.close();
    this.#socket = null;
    this.#failures += 1;
    const polled = this.state.get() === "polling";
    if (!polled) this.state.set("down");
    this.#away();
    const longest = polled ? LONGEST_WAIT_POLLED : LONGEST_WAIT;
    this.#timer("retry", this.#backOff(this.#failures, longest), () => {
      this.#connect();
    });
  }

  /** Half a second, doubled with every failure; up to half of it is chance. */
  #backOff(failures: number, longest = LONGEST_WAIT): number {
    const full = Math.min(longest, 500 * 2 ** (failures - 1));
    return full * (1 - this.ports.random() / 2);
  }

  #stopPolling(): void {
    this.#cancel("poll");
    this.#poll?.abort();
    this.#poll = null;
    this.#pollFailures = 0;
  }

  /** The other way, for networks that let no socket through, while sockets are tried beside it. */
  async #keepPolling(): Promise<void> {
    this.#cancel("poll");
    const abort = (this.#poll = new AbortController());
    const current = () => abort === this.#poll;
    let wait = 0;
    while (current()) {
      let answer: Awaited<ReturnType<StreamPorts["changes"]>>;
      try {
        answer = await this.ports.changes(this.#last, wait, abort.signal);
      } catch {
        if (!current()) return;
        this.#poll = null;
        this.#pollFailures += 1;
        this.state.set("down");
        this.#away();
        const again = Math.max(POLL_AFTER, this.#backOff(this.#pollFailures));
        this.#timer("poll", again, () => void this.#keepPolling());
        return;
      }
      if (!current()) return;
      this.#pollFailures = 0;
      if (answer.type === "reload") this.#reload(answer.position);
      // Whatever was read so far was read before this.
      else if (this.#last === null) this.#reload(answer.to);
      else {
        this.#apply(answer);
        this.#caughtUpAt = answer.to;
      }
      this.state.set("polling");
      this.#settled();
      wait = POLL_WAIT;
    }
  }

  #frame(frame: Frame): void {
    // How a channel is has no position: a frame of no length tells of it, and is never late.
    if (frame.from === frame.to) {
      this.events.changes(frame.changes);
      return;
    }
    if (this.#filling) {
      this.#held.push(frame);
      return;
    }
    if (this.#last !== null && frame.to <= this.#last) return;
    if (this.#last !== null && frame.from !== this.#last) {
      this.#held.push(frame);
      void this.#fill();
      return;
    }
    this.#apply(frame);
    this.#settled();
  }

  /** Asks for what was missed, while newer frames wait. */
  async #fill(): Promise<void> {
    this.#filling = true;
    const generation = this.#generation;
    try {
      const answer = await this.ports.changes(this.#last, 0);
      if (generation !== this.#generation) return;
      const next = this.#held[0];
      if (answer.type === "reload") this.#reload(answer.position);
      else if (answer.to > (this.#last ?? 0)) this.#apply(answer);
      else if (next) this.#last = next.from; // Nothing of it was for this reader.
    } catch {
      if (generation === this.#generation) this.#lost();
      return;
    } finally {
      this.#filling = false;
    }
    const held = this.#held;
    this.#held = [];
    for (const frame of held) this.#frame(frame);
    this.#settled();
  }

  #apply(frame: Frame): void {
    const last = this.#last ?? frame.from;
    if (frame.to <= last) return;
    this.#last = frame.to;
    const changes = frame.changes.filter((change) => change.position > last);
    this.#missed?.push(...changes);
    if (changes.length > 0) this.events.changes(changes);
  }

  #reload(position: number): void {
    this.#last = position;
    this.#held = [];
    this.events.reload();
  }

  /** Caught up: the banner goes by itself. */
  #settled(): void {
    if (this.state.get() === "down" || (this.#last ?? 0) < this.#caughtUpAt) return;
    this.#cancel("banner");
    if (!this.paused.get()) return;
    this.paused.set(false);
    const missed = this.#missed ?? [];
    this.#missed = null;
    this.events.resumed(missed);
  }
}
