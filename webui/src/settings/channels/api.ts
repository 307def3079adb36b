import type { Http } from "../../core/http";
import type { Channel } from "../../core/wire";

/** Stops sending on a channel, or lets it send again; the channel as it is then. */
export async function setPaused(
  http: Http,
  org: string,
  channel_id: string,
  paused: boolean,
): Promise<Channel> {
  const params = { path: { org, channel_id } };
  const { data } = await http.ask((client) =>
    paused
      ? client.POST("/api/v1/organisations/{org}/channels/{channel_id}/pause", { params })
      : client.POST("/api/v1/organisations/{org}/channels/{channel_id}/resume", { params }),
  );
  return data;
}
