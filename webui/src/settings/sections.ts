import type { Component } from "svelte";

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
  readonly load: () => Promise<{ default: Component<SectionProps> }>;
}

export interface Group {
  readonly id: keyof typeof t.settings.groups;
  readonly sections: readonly Section[];
}

/** Every section there is, as the side list has them. Each is fetched when somebody goes there. */
export const groups: readonly Group[] = [
  {
    id: "organisation",
    sections: [
      {
        id: "organisation",
        icon: "home",
        right: "settings.manage",
        load: () => import("./organisation/OrganisationSection.svelte"),
      },
      {
        id: "sign-in",
        icon: "lock",
        right: "settings.manage",
        load: () => import("./organisation/SignInSection.svelte"),
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
        load: () => import("./people/members/Members.svelte"),
      },
      {
        id: "invitations",
        icon: "mail",
        right: "members.manage",
        load: () => import("./people/invitations/Invitations.svelte"),
      },
      {
        id: "roles",
        icon: "user-check",
        right: "members.manage",
        load: () => import("./people/roles/Roles.svelte"),
      },
      {
        id: "tokens",
        icon: "lock",
        right: "members.manage",
        load: () => import("./people/tokens/Tokens.svelte"),
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
        load: () => import("./organisation/QuietHoursSection.svelte"),
      },
      {
        id: "consent",
        icon: "check-check",
        right: "settings.manage",
        load: () => import("./organisation/ConsentSection.svelte"),
      },
      {
        id: "approvals",
        icon: "user-check",
        right: "settings.manage",
        load: () => import("./organisation/ApprovalsSection.svelte"),
      },
      {
        id: "assignment",
        icon: "users",
        right: "settings.manage",
        load: () => import("./assignment/AssignmentSection.svelte"),
      },
      {
        id: "targets",
        icon: "clock",
        right: "settings.manage",
        load: () => import("./assignment/TargetsSection.svelte"),
      },
      {
        id: "letters",
        icon: "mail",
        right: "settings.manage",
        load: () => import("./organisation/LettersSection.svelte"),
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
        load: () => import("./channels/ChannelsSection.svelte"),
      },
      {
        id: "templates",
        icon: "file-text",
        right: "channels.manage",
        load: () => import("./channels/TemplatesSection.svelte"),
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
        load: () => import("./audit/AuditSection.svelte"),
      },
    ],
  },
];

export const sections: readonly Section[] = groups.flatMap((group) => group.sections);

export function maySee(section: Section, { capabilities }: Organisation): boolean {
  return capabilities.includes(section.right);
}
