import type { Inbox } from "./inbox";
import { formatPlace, type Place } from "./place";
import { defaultScope } from "./scope";
import type { Crowd } from "./toasts";
import type { AlertChoices, AlertKind, Change, Channel, Entry } from "./wire";
import { t } from "./words";

/** What the browser shows outside of the page; of one tag there is one. */
export interface Note {
  readonly tag: string;
  readonly title: string;
  readonly body: string;
  /** The address of what it is about. */
  readonly path: string;
}

export interface AlertPorts {
  /** Makes a short sound, if no tab of this browser has just made one. */
  chime: () => void;
  /** Shows a note while nobody sees the page, if this browser is to. */
  notify: (note: Note) => void;
  go: (place: Place) => void;
}

interface Told {
  readonly kind: AlertKind;
  readonly tag: string;
  readonly title: string;
  readonly body: string;
  readonly place: Place;
}

const LONGEST = 140;
/** What somebody has paused is as they want it. */
const inTrouble = ({ state, paused }: Channel) =>
  !paused && (state === "needs_attention" || state === "off");

/** Whether a person wants to hear of nothing now, by the clocks of their zone. */
export function isQuiet({ on, start, end, zone }: AlertChoices["quiet"], now: number): boolean {
  if (!on) return false;
  const time = new Intl.DateTimeFormat("en-GB", {
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
    timeZone: zone,
  }).format(now);
  return start < end ? start <= time && time < end : start <= time || time < end;
}

/** Tells a person of what happens elsewhere than where they look. What they see, the server decides. */
export class Alerts {
  readonly #mentioned = new Set<string>();
  readonly #messages: Crowd = {
    tag: "messages",
    text: t.alerts.many,
    action: {
      label: t.alerts.showUnread,
      run: () => {
        const scope = { ...defaultScope, status: "unread" } as const;
        this.ports.go({ page: "messages", scope, conversation: null, entry: null });
      },
    },
  };

  constructor(
    private readonly inbox: Inbox,
    private readonly ports: AlertPorts,
  ) {}

  /** From now on; gives what ends it. */
  begin(): () => void {
    const { inbox } = this;
    inbox.alerted = (change, before) => {
      this.#take(change, before);
    };
    void this.#read();
    return inbox.ports.visible.subscribe(() => void this.#read());
  }

  /** What was chosen, perhaps in another tab meanwhile. */
  async #read(): Promise<void> {
    const { slug } = this.inbox.organisation;
    try {
      const { data } = await this.inbox.ports.http.ask((client) =>
        client.GET("/api/v1/organisations/{org}/membership", { params: { path: { org: slug } } }),
      );
      this.inbox.alertChoices.set(data.alerts as AlertChoices);
    } catch {
      // What was known holds.
    }
  }

  #take({ alert, entry, channel }: Change, before: Channel | undefined): void {
    if (channel) {
      const mends = this.inbox.organisation.capabilities.includes("channels.manage");
      if (mends && before && !inTrouble(before) && inTrouble(channel)) this.#channel(channel);
    } else if (entry && alert && this.#concerns(alert, entry)) {
      this.#tell(this.#of(alert, entry));
    }
  }

  #concerns(kind: AlertKind, entry: Entry): boolean {
    const { member_id, capabilities } = this.inbox.organisation;
    const assignee = this.inbox.rows.get(entry.thread_id)?.assignee?.id ?? null;
    if (kind === "assignment")
      return entry.event?.assignee_id === member_id && entry.author.id !== member_id;
    // Of one note there is one alert, whatever becomes of it.
    if (kind === "mention")
      return (
        entry.author.id !== member_id &&
        entry.mentions.some((one) => one.member_id === member_id) &&
        !this.#mentioned.has(entry.id)
      );
    if (kind === "sending")
      return (
        capabilities.includes("channels.manage") || [entry.author.id, assignee].includes(member_id)
      );
    const whose = this.inbox.alertChoices.get()?.whose;
    return whose !== "own" || assignee === null || assignee === member_id;
  }

  #of(kind: AlertKind, entry: Entry): Told {
    const who = this.inbox.rows.get(entry.thread_id)?.contact.display ?? entry.address ?? "";
    const by = entry.event?.by;
    const title =
      kind === "assignment"
        ? typeof by === "string"
          ? t.alerts.assignedBy(who, by)
          : t.alerts.assigned(who)
        : kind === "mention"
          ? t.alerts.mention(who, entry.author.name ?? "")
          : kind === "sending"
            ? t.alerts.sending(who, entry.status === "failed")
            : t.alerts[kind as "text"](who);
    const said = kind === "sending" ? entry.status_reason : (entry.subject ?? entry.text);
    const place = (entry_id: string | null): Place => ({
      page: "messages",
      scope: { ...defaultScope, status: "all" },
      conversation: entry.thread_id,
      entry: entry_id,
    });
    if (kind === "mention") this.#mentioned.add(entry.id);
    return {
      kind,
      tag: entry.thread_id,
      title,
      body: kind === "assignment" ? "" : (said ?? "").slice(0, LONGEST),
      place: place(kind === "sending" ? entry.id : null),
    };
  }

  #channel({ id, name, reason }: Channel): void {
    this.#tell({
      kind: "channel",
      tag: `channel:${id}`,
      title: t.alerts.channel(name),
      body: reason ?? "",
      place: { page: "settings", section: "channels", item: id },
    });
  }

  #tell({ kind, tag, title, body, place }: Told): void {
    const { alertChoices, current, ports, toasts } = this.inbox;
    // As long as nobody has said otherwise: everything, with a sound, at any time.
    const choices = alertChoices.get();
    const visible = ports.visible.get();
    const open = current.get() === tag;
    if (choices?.off.includes(kind) === true || (open && visible)) return;
    if (!open) {
      const run = () => {
        this.ports.go(place);
      };
      const crowd = kind === "text" || kind === "email" ? { crowd: this.#messages } : {};
      toasts.add(title, { label: t.alerts.open, run }, { tag, detail: body, ...crowd });
    }
    if (choices && isQuiet(choices.quiet, ports.clock.now())) return;
    if (choices?.sound !== false) this.ports.chime();
    if (visible) return;
    const path = formatPlace(place);
    this.ports.notify({ tag, title, body: choices?.text === true ? body : "", path });
  }
}
