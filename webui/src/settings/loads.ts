import type { Component } from "svelte";

import type { Section, SectionProps } from "./sections";

type Load = () => Promise<{ default: Component<SectionProps> }>;

/** What each section is drawn with, fetched when somebody goes there. */
export const loads: Readonly<Record<Section["id"], Load>> = {
  organisation: () => import("./organisation/OrganisationSection.svelte"),
  "sign-in": () => import("./organisation/SignInSection.svelte"),
  members: () => import("./people/members/Members.svelte"),
  invitations: () => import("./people/invitations/Invitations.svelte"),
  roles: () => import("./people/roles/Roles.svelte"),
  tokens: () => import("./people/tokens/Tokens.svelte"),
  "quiet-hours": () => import("./organisation/QuietHoursSection.svelte"),
  consent: () => import("./organisation/ConsentSection.svelte"),
  approvals: () => import("./organisation/ApprovalsSection.svelte"),
  assignment: () => import("./assignment/AssignmentSection.svelte"),
  targets: () => import("./assignment/TargetsSection.svelte"),
  letters: () => import("./organisation/LettersSection.svelte"),
  channels: () => import("./channels/ChannelsSection.svelte"),
  templates: () => import("./channels/TemplatesSection.svelte"),
  audit: () => import("./audit/AuditSection.svelte"),
};
