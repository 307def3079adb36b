import type { Http } from "../core/http";

/** What the queue asks of the server. */
export const asked = (http: Http) => ({
  approvals(org: string, cursor: string | null) {
    const query = { limit: 50, ...(cursor === null ? {} : { cursor }) };
    const params = { path: { org }, query };
    return http.ask((client) => client.GET("/api/v1/organisations/{org}/approvals", { params }));
  },

  approval(org: string, approval_id: string) {
    const params = { path: { org, approval_id } };
    return http.answer((client) =>
      client.GET("/api/v1/organisations/{org}/approvals/{approval_id}", { params }),
    );
  },

  approve(org: string, approval_id: string, body: { text?: string; subject?: string }) {
    const params = { path: { org, approval_id } };
    return http.answer((client) =>
      client.POST("/api/v1/organisations/{org}/approvals/{approval_id}/approve", {
        params,
        body,
      }),
    );
  },

  reject(org: string, approval_id: string, reason: string) {
    const params = { path: { org, approval_id } };
    return http.answer((client) =>
      client.POST("/api/v1/organisations/{org}/approvals/{approval_id}/reject", {
        params,
        body: { reason },
      }),
    );
  },

  withdraw: (org: string, approval_id: string) => http.withdraw(org, approval_id),
});

export type Asked = ReturnType<typeof asked>;
