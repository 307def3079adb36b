import type { components } from "../core/api";
import type { Http, Read } from "../core/http";

/** Answers leave nothing out, whatever a request may leave out. */
type Whole<T> = T extends readonly (infer Each)[]
  ? Whole<Each>[]
  : T extends object
    ? { [Key in keyof T]-?: Whole<T[Key]> }
    : T;

export type Settings = Whole<components["schemas"]["Settings"]>;

/** The settings of an organisation, and which version of them that is. */
export async function readSettings(http: Http, org: string): Promise<Read<Settings>> {
  const params = { path: { org } };
  return (await http.ask((client) =>
    client.GET("/api/v1/organisations/{org}/settings", { params }),
  )) as Read<Settings>;
}

/** Replaces the sections that are given, if nobody has changed anything since `etag`. */
export async function writeSettings(
  http: Http,
  org: string,
  body: components["schemas"]["SettingsPatch"],
  etag: string | null,
): Promise<Read<Settings>> {
  const params = { path: { org }, header: { "If-Match": etag } };
  return (await http.ask((client) =>
    client.PATCH("/api/v1/organisations/{org}/settings", { params, body }),
  )) as Read<Settings>;
}
