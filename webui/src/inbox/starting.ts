import type { components } from "../core/api";
import type { Http, StartBody } from "../core/http";
import type { MessagePreview } from "../core/wire";

type Told = components["schemas"]["StartPreview"];
export type StartPreview = MessagePreview & Omit<Told, keyof MessagePreview>;

/** What is known of the first message to an address, before it is sent. */
export async function previewStart(
  http: Http,
  org: string,
  body: StartBody,
): Promise<StartPreview> {
  const params = { path: { org } };
  const { data } = await http.ask((client) =>
    client.POST("/api/v1/organisations/{org}/messages/preview", { params, body }),
  );
  return data as StartPreview;
}
