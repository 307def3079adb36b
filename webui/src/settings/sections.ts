import type { Inbox } from "../core/inbox";
import type { Session } from "../core/session";
import type { Me, Organisation } from "../core/wire";
import type { IconName } from "../ui/icons";
import type { t } from "./strings";

/** What a section's component is given. */
export interface SectionProps {
  inbox: Inbox;
  me: Me;
  session: Session;
  /** Which of what it lists is open: the last part of the address. */
  item: string | null;
}

export interface Section {
  /** Its part of the address; the title and what is decided there are found by it. */
  readonly id: keyof typeof t.settings.titles;
  readonly icon: IconName;
  /** The right without which nobody sees it. */
  readonly right: string;
}

export interface Group {
  readonly id: keyof typeof t.settings.groups;
  readonly sections: readonly Section[];
}

/** Every section there is, as the side list has them. */
export const groups: readonly Group[] = [
  {
    id: "organisation",
    sections: [
      {
        id: "organisation",
        icon: "home",
        right: "settings.manage",
      },
      {
        id: "sign-in",
        icon: "lock",
        right: "settings.manage",
      },
    ],
  },
  {
    id: "people",
    sections: [
      {
        id: "members",
        icon: "users",
        right: "members.manage",
      },
      {
        id: "invitations",
        icon: "mail",
        right: "members.manage",
      },
      {
        id: "roles",
        icon: "user-check",
        right: "members.manage",
      },
      {
        id: "tokens",
        icon: "lock",
        right: "members.manage",
      },
    ],
  },
  {
    id: "messages",
    sections: [
      {
        id: "quiet-hours",
        icon: "moon",
        right: "settings.manage",
      },
      {
        id: "consent",
        icon: "check-check",
        right: "settings.manage",
      },
      {
        id: "approvals",
        icon: "user-check",
        right: "settings.manage",
      },
      {
        id: "assignment",
        icon: "users",
        right: "settings.manage",
      },
      {
        id: "targets",
        icon: "clock",
        right: "settings.manage",
      },
      {
        id: "letters",
        icon: "mail",
        right: "settings.manage",
      },
    ],
  },
  {
    id: "channels",
    sections: [
      {
        id: "channels",
        icon: "smartphone",
        right: "channels.manage",
      },
      {
        id: "templates",
        icon: "file-text",
        right: "channels.manage",
      },
    ],
  },
  {
    id: "records",
    sections: [
      {
        id: "audit",
        icon: "clock",
        right: "audit.view",
      },
    ],
  },
];

export const sections: readonly Section[] = groups.flatMap((group) => group.sections);

export function maySee(section: Section, { capabilities }: Organisation): boolean {
  return capabilities.includes(section.right);
}
