import { Cell } from "./cell";
import type { Clock } from "./clock";
import type { Change, Counts, Frame, Scope, StreamMessage } from "./wire";

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
  /** What changed after a position; with `wait`, the answer may take that many seconds. */
  changes: (
    since: number,
    wait: number,
    signal?: AbortSignal,
  ) => Promise<Frame | { type: "reload"; position: number }>;
}

export interface StreamEvents {
  changes: (changes: readonly Change[]) => void;
  counts: (counts: Counts) => void;
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
/** Sockets that fail this often in a row are left alone; long poll takes over. */
const SOCKET_TRIES = 4;
/** While polling, a socket is tried again this often. */
const SOCKET_AGAIN = 120_000;

/**
 * Keeps one connection to the stream and hands over every change once, in order.
 *
 * The last position applied is what counts: a frame that ends before it is old, one that does not
 * begin at it means something was missed, which is then asked for.
 */
export class Stream {
  readonly state = new Cell<StreamState>("connecting");
  /** Whether updates have been away for long enough to say so. */
  readonly paused = new Cell(false);

  #last: number | null = null;
  #socket: Socket | null = null;
  #generation = 0;
  #failures = 0;
  #scope: Scope | null = null;
  #filling = false;
  #held: Frame[] = [];
  #stopped = true;
  #missed: Change[] | null = null;
  #caughtUpAt = 0;
  #abort: AbortController | null = null;
  readonly #timers = new Map<string, () => void>();

  constructor(
    private readonly ports: StreamPorts,
    private readonly events: StreamEvents,
  ) {}

  /** The last position applied. */
  get position(): number | null {
    return this.#last;
  }

  start(): void {
    this.#stopped = false;
    this.#countdown();
    this.#connect();
  }

  stop(): void {
    this.#stopped = true;
    this.#generation += 1;
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
    this.#abort?.abort();
    this.#socket?.close();
    this.#socket = null;
    this.#last = null;
    this.#held = [];
    this.#filling = false;
    this.#missed = null;
    this.#failures = 0;
    this.state.set("connecting");
    this.paused.set(false);
  }

  /** Tries at once instead of waiting for the next turn. */
  retryNow(): void {
    if (this.#stopped || this.state.get() === "live") return;
    this.#failures = 0;
    this.#connect();
  }

  /** Tells the server which counts to send. */
  show(scope: Scope): void {
    this.#scope = scope;
    if (this.state.get() === "live") this.#sendScope();
  }

  #sendScope(): void {
    if (this.#scope) this.#socket?.send(JSON.stringify({ show: this.#scope }));
  }

  #timer(name: string, ms: number, run: () => void): void {
    this.#timers.get(name)?.();
    this.#timers.set(name, this.ports.clock.after(ms, run));
  }

  #cancel(name: string): void {
    this.#timers.get(name)?.();
    this.#timers.delete(name);
  }

  #countdown(): void {
    if (this.paused.get() || this.#timers.has("banner")) return;
    this.#timer("banner", BANNER_AFTER, () => {
      this.#timers.delete("banner");
      this.#missed = [];
      this.paused.set(true);
    });
  }

  #connect(): void {
    this.#cancel("retry");
    this.#abort?.abort();
    this.#abort = null;
    this.#socket?.close();
    const generation = ++this.#generation;
    const current = () => generation === this.#generation;
    if (this.state.get() !== "down") this.state.set("connecting");
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
        this.events.counts(message.counts);
        break;
      case "pong":
        this.#cancel("pong");
        break;
    }
  }

  #hello(position: number): void {
    this.#cancel("opening");
    this.#cancel("again");
    this.#failures = 0;
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
      this.#socket?.send(JSON.stringify({ ping: true }));
      this.#timer("pong", PONG_WITHIN, () => {
        this.#lost();
      });
      this.#ping();
    });
  }

  #lost(): void {
    this.#generation += 1;
    for (const name of ["opening", "ping", "pong"]) this.#cancel(name);
    this.#socket?.close();
    this.#socket = null;
    this.#failures += 1;
    this.#countdown();
    if (this.#failures >= SOCKET_TRIES && this.#last !== null) {
      void this.#poll();
      return;
    }
    this.state.set("down");
    this.#timer("retry", this.#backOff(), () => {
      this.#connect();
    });
  }

  /** Half a second, doubled with every failure, at most 30 s; up to half of it is chance. */
  #backOff(): number {
    const full = Math.min(LONGEST_WAIT, 500 * 2 ** (this.#failures - 1));
    return full * (1 - this.ports.random() / 2);
  }

  /** The other way, for networks that let no socket through. */
  async #poll(): Promise<void> {
    const generation = ++this.#generation;
    const abort = (this.#abort = new AbortController());
    this.#timer("again", SOCKET_AGAIN, () => {
      this.#connect();
    });
    let wait = 0;
    for (;;) {
      let answer: Awaited<ReturnType<StreamPorts["changes"]>>;
      try {
        answer = await this.ports.changes(this.#last ?? 0, wait, abort.signal);
      } catch {
        if (generation !== this.#generation) return;
        this.#cancel("again");
        this.state.set("down");
        this.#failures += 1;
        this.#countdown();
        this.#timer("retry", this.#backOff(), () => {
          this.#connect();
        });
        return;
      }
      if (generation !== this.#generation) return;
      if (answer.type === "reload") this.#reload(answer.position);
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
      const answer = await this.ports.changes(this.#last ?? 0, 0);
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
