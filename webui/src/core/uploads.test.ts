import { describe, expect, it } from "vitest";

import { channel, draftOf, entry, later, settled, started, world } from "../../tests/world";
import { Http } from "./http";

describe("files", () => {
  const file = { blob: new Blob(["x"]), name: "a.png", size: 1, type: "image/png" };
  const attachment = { id: "a1", name: "a.png", content_type: "image/png", size: 1 };

  it("upload into the draft they were given to, and go out with it", async () => {
    const made = await started(({ server }) => {
      server
        .on("POST /attachments", { status: 201, body: attachment })
        .on("POST /threads/t1/messages", { status: 201, body: entry("e9", "t1") });
    });
    await made.inbox.open("t1");
    const draft = draftOf(made, "t1");
    made.inbox.uploads.attach(draft, file);
    expect(draft.content.get().files[0]?.state).toBe("uploading");
    expect(made.inbox.sender.sendable(draft)).toBe(false);
    await made.inbox.open("t2");
    await settled();
    expect(draft.content.get().files[0]?.state).toBe("ready");
    expect(draftOf(made, "t2").content.get().files).toEqual([]);
    expect(made.inbox.sender.send(made.inbox.thread("t1"), draft)).toBe(true);
    await settled();
    expect(made.server.last("POST /threads/t1/messages")?.body["attachment_ids"]).toEqual(["a1"]);
  });

  it("are refused with the reason, tried again, and called off", async () => {
    const made = await started();
    await made.inbox.open("t1");
    const draft = draftOf(made, "t1");
    made.inbox.uploads.attach(draft, { ...file, type: "video/mp4" });
    expect(made.inbox.toasts.shown.get()[0]?.text).toMatch(/type/);
    made.inbox.uploads.attach(draft, file);
    await settled();
    const local = draft.content.get().files[0]?.local ?? "";
    expect(draft.content.get().files[0]).toMatchObject({ state: "failed" });
    made.server.on("POST /attachments", { status: 201, body: attachment });
    made.inbox.uploads.uploadAgain(draft, local);
    await settled();
    expect(draft.content.get().files[0]?.state).toBe("ready");
    made.inbox.uploads.uploadAgain(draft, local);
    made.inbox.uploads.detach(draft, local);
    expect(draft.content.get().files).toEqual([]);
    made.server.on("POST /attachments", { status: 413 });
    made.inbox.uploads.attach(draft, file);
    made.inbox.uploads.detach(draft, draft.content.get().files[0]?.local ?? "");
    await settled();
    expect(draft.content.get().files).toEqual([]);
  });

  it("are what their bytes say, whatever their names say", async () => {
    const made = await started(({ server }) => {
      const body = { ...attachment, content_type: "video/mp4" };
      server.on("POST /attachments", { status: 201, body });
    });
    await made.inbox.open("t1");
    const draft = draftOf(made, "t1");
    made.inbox.uploads.attach(draft, file);
    await settled();
    const [held] = draft.content.get().files;
    expect(held?.reason).toMatch(/The file is video\/mp4/);
    expect(made.inbox.uploads.canUploadAgain(held?.local ?? "")).toBe(false);
    expect(made.inbox.sender.sendable(draft)).toBe(false);
  });

  it("tell how far they are", async () => {
    const made = world();
    const answer = later<Response>();
    made.ports.http = new Http({
      origin: "http://hub.test",
      fetch: made.server.fetch,
      upload: ({ progress }) => {
        progress(0.5);
        return answer.promise;
      },
    });
    made.inbox.channels.set(new Map([["a", channel("a")]]));
    const draft = draftOf(made, "t1");
    made.inbox.uploads.attach(draft, file);
    await settled();
    expect(draft.content.get().files[0]?.progress).toBe(0.5);
  });
});
