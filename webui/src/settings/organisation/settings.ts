import { Cell } from "../../core/cell";
import type { Inbox } from "../../core/inbox";
import { reasonOf, Refused } from "../../core/problem";
import { readSettings, writeSettings, type Settings } from "../api";
import { Saver } from "../saving";
import { t } from "../strings";

type Name = keyof Settings;

/** Two people who take turns; more of them would have to be programs. */
const TRIES = 5;
const alike = (one: unknown, other: unknown) => JSON.stringify(one) === JSON.stringify(other);

/** Somebody else has changed the very field meanwhile. */
class Overtaken extends Refused {
  constructor() {
    super(412, { detail: t.settings.overtaken } as Refused["problem"], null);
  }
}

/**
 * What the organisation has set, as it was read last. A field is changed in the version that was
 * read: what somebody else changed meanwhile, elsewhere in the section, is kept.
 */
export class OrganisationSettings {
  readonly now = new Cell<Settings | null>(null);
  /** Why it could not be read, while it never was. */
  readonly why = new Cell<string | null>(null);
  #etag: string | null = null;
  #reading = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(private readonly inbox: Inbox) {}

  /** Reads them, and again whenever they change, until called off. */
  watch(): () => void {
    const { settingsChanged, stream } = this.inbox;
    const ends = [
      settingsChanged.subscribe(() => void this.read()),
      stream.state.subscribe(() => {
        if (stream.reached) void this.read();
      }),
    ];
    void this.read();
    return () => {
      for (const end of ends) end();
    };
  }

  async read(): Promise<void> {
    const reading = ++this.#reading;
    const { http } = this.inbox.ports;
    try {
      const { data, etag } = await readSettings(http, this.inbox.organisation.slug);
      if (reading === this.#reading) this.#learn(data, etag ?? null);
    } catch (error) {
      if (reading === this.#reading && this.now.get() === null) this.why.set(reasonOf(error));
    }
  }

  /** One field of what was read, which saves itself and hears what others change. */
  field<S extends Name, F extends keyof Settings[S]>(
    section: S,
    field: F,
    check?: (value: Settings[S][F]) => string | null,
  ): Saver<Settings[S][F]> {
    const held = this.now.get();
    if (!held) throw new Error("nothing was read");
    const saver = new Saver<Settings[S][F]>(
      held[section][field],
      (to, from) => this.change(section, field, to, from),
      check,
    );
    this.now.subscribe(() => {
      const now = this.now.get();
      if (now) saver.learn(now[section][field]);
    });
    return saver;
  }

  /**
   * Changes one field, and answers what holds then. `from` is what the person saw when they changed
   * it: where that is no longer what holds, they are told, and nothing is changed.
   */
  change<S extends Name, F extends keyof Settings[S]>(
    section: S,
    field: F,
    to: Settings[S][F],
    from: Settings[S][F],
  ): Promise<Settings[S][F]> {
    // One after another: each begins with what the one before has come to.
    const done = this.#last.then(() => this.#change(section, field, to, from));
    this.#last = done.catch(() => undefined);
    return done;
  }

  async #change<S extends Name, F extends keyof Settings[S]>(
    section: S,
    field: F,
    to: Settings[S][F],
    from: Settings[S][F],
  ): Promise<Settings[S][F]> {
    const { http } = this.inbox.ports;
    for (let tries = 1; ; tries += 1) {
      const held = this.now.get();
      if (!held) throw new Error("nothing was read");
      if (!alike(held[section][field], from) && !alike(held[section][field], to))
        throw new Overtaken();
      const patch = { [section]: { ...held[section], [field]: to } };
      try {
        const slug = this.inbox.organisation.slug;
        const { data, etag } = await writeSettings(http, slug, patch, this.#etag);
        this.#learn(data, etag ?? null);
        return data[section][field];
      } catch (error) {
        if (!(error instanceof Refused) || error.status !== 412 || tries === TRIES) throw error;
        const { data, etag } = await readSettings(http, this.inbox.organisation.slug);
        this.#learn(data, etag ?? null);
      }
    }
  }

  #learn(settings: Settings, etag: string | null): void {
    this.#reading += 1;
    this.#etag = etag;
    this.why.set(null);
    this.now.set(settings);
  }
}
