import type { Inbox } from "../core/inbox";
import { t } from "../core/words";
import type { Colleague, Member, ThreadRow } from "../core/wire";
import type { MenuItem } from "../ui/menu";

/** Who a conversation can be given to: nobody, oneself, then everybody by name. */
export function assigneeItems(
  inbox: Inbox,
  thread: string,
  row: ThreadRow | null,
  members: readonly Colleague[],
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
  const alike = (member: Member) => active.filter(({ name }) => name === member.name).length > 1;
  const named = (member: Colleague) => {
    const name = alike(member) ? `${member.name}, ${member.email}` : member.name;
    return member.available ? t.thread.isAvailable(name) : name;
  };
  return [
    item(null, t.thread.nobody),
    ...active.map((member) =>
      item(member, member.id === me ? t.thread.me(member.name) : named(member)),
    ),
  ];
}
