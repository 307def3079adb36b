import { Cell } from "./cell";
import type { Clock } from "./clock";
import type { Http } from "./http";
import { reasonOf } from "./problem";
import type {
  Channel,
  Delivery,
  DeliveryCounts,
  DeliveryDetail,
  DeliveryDryRun,
  DeliveryState,
  Job,
} from "./wire";

export interface DeliveryList {
  readonly phase: "loading" | "ready" | "failed";
  readonly items: readonly Delivery[];
  /** Where the next page begins; a page may be empty and go on. */
  readonly next: string | null;
  /** Why it failed. */
  readonly why: string | null;
}

export interface OpenDelivery {
  readonly phase: "loading" | "ready" | "failed";
  readonly id: string;
  readonly detail: DeliveryDetail | null;
  readonly why: string | null;
  /** What somebody is waiting for. */
  readonly doing: "try" | "replay" | null;
  /** What came of a try. */
  readonly result: DeliveryDryRun | null;
  /** Whether it was taken in again since it was opened. */
  readonly taken: boolean;
  /** Why a try or a replay did not work. */
  readonly fault: string | null;
}

export interface ReplayAll {
  readonly job: Job | null;
  readonly fault: string | null;
}

/** Asking the channel how it is. */
export interface ChannelCheck {
  readonly doing: boolean;
  /** When it last said so, in milliseconds. */
  readonly at: number | null;
  readonly fault: string | null;
}

const UNASKED: ChannelCheck = { doing: false, at: null, fault: null };
const EMPTY: DeliveryList = { phase: "loading", items: [], next: null, why: null };
const LOOK_EVERY = 1_000;

/** What arrived for a channel: a list, one of it in full, and what may be done with it. */
export class Deliveries {
  readonly list = new Cell<DeliveryList>(EMPTY);
  readonly counts = new Cell<DeliveryCounts | null>(null);
  readonly open = new Cell<OpenDelivery | null>(null);
  readonly all = new Cell<ReplayAll | null>(null);
  readonly check = new Cell<ChannelCheck>(UNASKED);

  #channel = "";
  #state: DeliveryState | null = null;
  /** Of two answers to the same question only that to the later one counts. */
  #asked = 0;
  #stopLooking: () => void = () => undefined;

  constructor(
    private readonly org: string,
    private readonly http: Http,
    private readonly clock: Clock,
  ) {}

  async show(channel: string, state: DeliveryState | null): Promise<void> {
    if (channel !== this.#channel) {
      this.#stopLooking();
      this.all.set(null);
      this.counts.set(null);
      this.check.set(UNASKED);
    }
    this.#channel = channel;
    this.#state = state;
    this.list.set(EMPTY);
    await this.refresh();
  }

  /** Reads the list anew; what is shown stays until then. */
  async refresh(): Promise<void> {
    await Promise.all([this.#load(null), this.#count()]);
  }

  async more(): Promise<void> {
    const { next } = this.list.get();
    if (next !== null) await this.#load(next);
  }

  async #load(cursor: string | null): Promise<void> {
    const asked = ++this.#asked;
    const before = cursor === null ? [] : this.list.get().items;
    this.list.update((list) => ({ ...list, phase: "loading", why: null }));
    try {
      const page = await deliveries(this.http, this.org, this.#channel, this.#state, cursor);
      if (asked !== this.#asked) return;
      const items = [...before, ...page.items];
      this.list.set({ phase: "ready", items, next: page.next_cursor ?? null, why: null });
    } catch (error) {
      if (asked !== this.#asked) return;
      this.list.update((list) => ({ ...list, phase: "failed", why: reasonOf(error) }));
    }
  }

  /** Counts are an aid: without them the list is as good. */
  async #count(): Promise<void> {
    const channel = this.#channel;
    const counts = await deliveryCounts(this.http, this.org, channel).catch(() => null);
    if (channel === this.#channel) this.counts.set(counts);
  }

  async choose(id: string | null): Promise<void> {
    if (id === null) {
      this.open.set(null);
      return;
    }
    this.open.set({
      phase: "loading",
      id,
      detail: null,
      why: null,
      doing: null,
      result: null,
      taken: false,
      fault: null,
    });
    try {
      const detail = await delivery(this.http, this.org, this.#channel, id);
      this.#change(id, { phase: "ready", detail });
    } catch (error) {
      this.#change(id, { phase: "failed", why: reasonOf(error) });
    }
  }

  #change(id: string, change: Partial<OpenDelivery>): void {
    this.open.update((open) => (open?.id === id ? { ...open, ...change } : open));
  }

  /** What the channel makes of the open delivery now; nothing is stored. */
  async try(): Promise<void> {
    await this.#do("try", async (id) => {
      const result = await tryDelivery(this.http, this.org, this.#channel, id);
      this.#change(id, { result, taken: false });
    });
  }

  /** Stores what the channel makes of the open delivery now. */
  async replay(): Promise<void> {
    await this.#do("replay", async (id) => {
      const { delivery } = await replayDelivery(this.http, this.org, this.#channel, id);
      this.#change(id, { detail: delivery, taken: true, result: null });
      this.list.update((list) => ({
        ...list,
        items: list.items.map((each) => (each.id === id ? delivery : each)),
      }));
      void this.#count();
    });
  }

  async #do(what: "try" | "replay", act: (id: string) => Promise<void>): Promise<void> {
    const open = this.open.get();
    if (!open || open.doing !== null) return;
    this.#change(open.id, { doing: what, fault: null });
    try {
      await act(open.id);
      this.#change(open.id, { doing: null });
    } catch (error) {
      this.#change(open.id, { doing: null, fault: reasonOf(error) });
    }
  }

  /** Takes in everything of the channel that waits, and follows how far that is. */
  async replayAll(): Promise<void> {
    if (this.working) return;
    this.#stopLooking();
    try {
      this.all.set({
        job: await replayDeliveries(this.http, this.org, this.#channel),
        fault: null,
      });
      this.#look();
    } catch (error) {
      this.all.set({ job: null, fault: reasonOf(error) });
    }
  }

  /** Whether a job is on its way. */
  get working(): boolean {
    const job = this.all.get()?.job;
    return job?.state === "waiting" || job?.state === "running";
  }

  #look(): void {
    this.#stopLooking = this.clock.after(LOOK_EVERY, () => void this.#follow());
  }

  async #follow(): Promise<void> {
    const before = this.all.get()?.job;
    if (!before) return;
    // Whether it can be looked at just now says nothing of the job.
    const job = await jobOf(this.http, this.org, before.id).catch(() => before);
    if (this.all.get()?.job !== before) return;
    this.all.set({ job, fault: null });
    if (this.working) this.#look();
    else await this.refresh();
  }

  /** Asks the channel how it is, now; the answer is the channel as it is then. */
  async checkChannel(): Promise<Channel | null> {
    const channel = this.#channel;
    const before = this.check.get();
    if (before.doing) return null;
    const asked = { ...before, doing: true, fault: null };
    this.check.set(asked);
    try {
      const found = await this.http.checkChannel(this.org, channel);
      this.#answered(asked, { doing: false, at: this.clock.now(), fault: null });
      return found;
    } catch (error) {
      this.#answered(asked, { ...before, fault: reasonOf(error) });
      return null;
    }
  }

  /** Another channel may be shown by the time of the answer. */
  #answered(asked: ChannelCheck, answer: ChannelCheck): void {
    if (this.check.get() === asked) this.check.set(answer);
  }

  stop(): void {
    this.#stopLooking();
    this.all.set(null);
  }
}

function deliveries(
  http: Http,
  org: string,
  channel_id: string,
  state: DeliveryState | null,
  cursor: string | null,
) {
  const query = { limit: 50, ...(state ? { state } : {}), ...(cursor ? { cursor } : {}) };
  const params = { path: { org, channel_id }, query };
  return http.answer((client) =>
    client.GET("/api/v1/organisations/{org}/channels/{channel_id}/deliveries", { params }),
  );
}

function deliveryCounts(http: Http, org: string, channel_id: string) {
  const params = { path: { org, channel_id } };
  return http.answer((client) =>
    client.GET("/api/v1/organisations/{org}/channels/{channel_id}/deliveries/counts", {
      params,
    }),
  );
}

function delivery(http: Http, org: string, channel_id: string, delivery_id: string) {
  const params = { path: { org, channel_id, delivery_id } };
  return http.answer((client) =>
    client.GET("/api/v1/organisations/{org}/channels/{channel_id}/deliveries/{delivery_id}", {
      params,
    }),
  );
}

function tryDelivery(http: Http, org: string, channel_id: string, delivery_id: string) {
  const params = { path: { org, channel_id, delivery_id } };
  return http.answer((client) =>
    client.POST(
      "/api/v1/organisations/{org}/channels/{channel_id}/deliveries/{delivery_id}/dry-run",
      { params },
    ),
  );
}

function replayDelivery(http: Http, org: string, channel_id: string, delivery_id: string) {
  const params = { path: { org, channel_id, delivery_id } };
  return http.answer((client) =>
    client.POST(
      "/api/v1/organisations/{org}/channels/{channel_id}/deliveries/{delivery_id}/replay",
      { params },
    ),
  );
}

function replayDeliveries(http: Http, org: string, channel_id: string) {
  const params = { path: { org, channel_id } };
  return http.answer((client) =>
    client.POST("/api/v1/organisations/{org}/channels/{channel_id}/deliveries/replay", {
      params,
    }),
  );
}

function jobOf(http: Http, org: string, job_id: string) {
  const params = { path: { org, job_id } };
  return http.answer((client) =>
    client.GET("/api/v1/organisations/{org}/jobs/{job_id}", { params }),
  );
}
