import type { components, paths } from "../../core/api";
import type { Http } from "../../core/http";

export type AuditLine = components["schemas"]["AuditLine"];
export type AuditPage = components["schemas"]["AuditPage"];
type Query = NonNullable<paths["/api/v1/organisations/{org}/audit"]["get"]["parameters"]["query"]>;

/** Which lines are asked for. */
export type Filter = Pick<Query, "from" | "to" | "actor_kind" | "actor_id" | "q">;

/** A page of the log, the newest first. */
export async function readAudit(
  http: Http,
  org: string,
  filter: Filter,
  cursor: string | null,
): Promise<AuditPage> {
  const params = { path: { org }, query: { ...filter, cursor } };
  const read = await http.ask((client) =>
    client.GET("/api/v1/organisations/{org}/audit", { params }),
  );
  return read.data;
}

/** All that is asked for, as a file. */
export async function exportAudit(http: Http, org: string, filter: Filter): Promise<Blob> {
  const params = { path: { org }, query: filter };
  const read = await http.ask((client) =>
    client.GET("/api/v1/organisations/{org}/audit", {
      params,
      headers: { Accept: "text/csv" },
      parseAs: "blob",
    }),
  );
  return read.data;
}

/** Everybody who is or was a member, as far as one may know. */
export async function readMembers(http: Http, org: string) {
  const params = { path: { org } };
  const read = await http.ask((client) =>
    client.GET("/api/v1/organisations/{org}/members", { params }),
  );
  return read.data;
}
