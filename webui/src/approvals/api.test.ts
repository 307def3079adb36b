import { expect, it } from "vitest";

import { world } from "../../tests/world";
import { asked } from "./api";

it("asks for pages of what waits, one message, and decides", async () => {
  const { http, server } = world();
  const queue = asked(http);
  server
    .on("GET /approvals", { body: { items: [], next_cursor: null } })
    .on("GET /approvals/1", { body: { id: "1" } })
    .on("POST /approvals/1/approve", { body: { id: "1", state: "approved" } })
    .on("POST /approvals/1/reject", { body: { id: "1", state: "rejected" } })
    .on("POST /approvals/1/withdraw", { body: { id: "1" } });
  expect((await queue.approvals("main", null)).data.items).toEqual([]);
  await queue.approvals("main", "further");
  expect((await queue.approval("main", "1")).id).toBe("1");
  expect((await queue.approve("main", "1", { text: "Hi" })).state).toBe("approved");
  expect((await queue.reject("main", "1", "No")).state).toBe("rejected");
  expect((await queue.withdraw("main", "1")).data).toEqual({ id: "1" });
  expect(server.last("POST /approvals/1/approve")?.body).toEqual({ text: "Hi" });
  expect(server.last("POST /approvals/1/reject")?.body).toEqual({ reason: "No" });
});
