import type { Inbox } from "../core/inbox";
import { t } from "../core/strings";
import type { Member, ThreadRow } from "../core/wire";
import type { MenuItem } from "../ui/menu";

/** Who a conversation can be given to: nobody, oneself, then everybody by name. */
export function assigneeItems(
  inbox: Inbox,
  thread: string,
  row: ThreadRow | null,
  members: readonly Member[],
): MenuItem[] {
  const me = inbox.organisation.member_id;
  const item = (member: Member | null, label: string): MenuItem => ({
    label,
    checked: (row?.assignee?.id ?? null) === (member?.id ?? null),
    run: () => {
      inbox.assign(thread, member);
    },
  });
  const active = members
    .filter((member) => member.active)
    .sort((a, b) => Number(b.id === me) - Number(a.id === me) || a.name.localeCompare(b.name));
  return [
    item(null, t.thread.nobody),
    ...active.map((member) =>
      item(member, member.id === me ? t.thread.me(member.name) : member.name),
    ),
  ];
}
