import { fireEvent, screen } from "@testing-library/svelte";
import userEvent from "@testing-library/user-event";
import { expect, it, vi } from "vitest";

import { renderIn } from "../../tests/render";
import { channel, entry, settled, world } from "../../tests/world";
import NewConversation from "./NewConversation.svelte";

async function dialog(made = world()) {
  const close = vi.fn();
  const opened = vi.fn();
  made.inbox.start({ status: "open", filter: "all" });
  await settled();
  const drawn = renderIn(made, NewConversation, { close, opened });
  return { made, drawn, close, opened };
}

const fill = async (to: string, text: string) => {
  const user = userEvent.setup();
  await user.type(screen.getByLabelText(/number|address/i), to);
  await user.type(screen.getByLabelText("First message"), text);
};
const send = () => userEvent.setup().click(screen.getByRole("button", { name: "Send and open" }));

it("is there again as it was left when it was closed half-written", async () => {
  const first = await dialog();
  await fill("+15550142000", "Your bike is");
  first.drawn.unmount();
  await dialog(first.made);
  expect(screen.getByLabelText<HTMLInputElement>(/number|address/i).value).toBe("+15550142000");
  expect(screen.getByLabelText<HTMLInputElement>("First message").value).toBe("Your bike is");
});

it("goes out once, though nobody knows what came of the first try", async () => {
  const { made, opened } = await dialog();
  made.server.on("POST /messages", { status: 503, body: {} });
  await fill("+15550142000", "Ready");
  await send();
  await settled();
  expect(screen.getByRole("alert").textContent).toContain("Not sent");
  made.server.on("POST /messages", { status: 201, body: entry("n1", "t9") });
  await send();
  await settled();
  const tries = made.server.requests.filter(({ route }) => route === "POST /messages");
  const keys = tries.map(({ headers }) => headers.get("Idempotency-Key"));
  expect(keys).toHaveLength(2);
  expect(keys[0]).toBe(keys[1]);
  expect(opened).toHaveBeenCalledWith("t9");
});

it("is another message once something was changed", async () => {
  const { made } = await dialog();
  made.server.on("POST /messages", { status: 503, body: {} });
  await fill("+15550142000", "Ready");
  await send();
  await settled();
  await userEvent.setup().type(screen.getByLabelText("First message"), " now");
  await send();
  await settled();
  const tries = made.server.requests.filter(({ route }) => route === "POST /messages");
  const [one, two] = tries.map(({ headers }) => headers.get("Idempotency-Key"));
  expect(one).not.toBe(two);
});

it("closes on a press beside it, and not on one that began inside", async () => {
  const { close } = await dialog();
  const beside = screen.getByRole("dialog");
  await fireEvent.pointerDown(screen.getByLabelText("First message"));
  await fireEvent.click(beside);
  expect(close).not.toHaveBeenCalled();
  await fireEvent.pointerDown(beside);
  await fireEvent.click(beside);
  expect(close).toHaveBeenCalledOnce();
});

it("goes to people in copy where messages may, and keeps them with the draft", async () => {
  const made = world();
  made.server.on("GET /channels", { body: [channel("a", { copies: true }), channel("b")] });
  made.server.on("POST /messages", { status: 201, body: entry("n1", "t9") });
  await dialog(made);
  const user = userEvent.setup();
  await user.click(screen.getByRole("button", { name: "Cc and Bcc" }));
  expect(document.activeElement).toBe(screen.getByLabelText("Cc"));
  await user.type(screen.getByLabelText("Cc"), "sam@example.org, kim@example.org");
  await user.type(screen.getByLabelText("Bcc"), "boss@example.org");
  await user.selectOptions(screen.getByLabelText("Channel"), "b");
  expect(screen.queryByLabelText("Cc")).toBeNull();
  await user.selectOptions(screen.getByLabelText("Channel"), "a");
  await fill("+15550142000", "Ready");
  await send();
  await settled();
  expect(made.server.last("POST /messages")?.body).toMatchObject({
    cc: ["sam@example.org", "kim@example.org"],
    bcc: ["boss@example.org"],
  });
});

it("says why there are no channels, and tries again", async () => {
  const made = world();
  made.server.on("GET /channels", { status: 500 });
  await dialog(made);
  expect(screen.getByRole("alert").textContent).toContain("The channels could not be loaded.");
  made.server.on("GET /channels", { body: [channel("a")] });
  await userEvent.setup().click(screen.getByRole("button", { name: "Try again" }));
  await settled();
  expect(screen.getByLabelText("First message")).toBeTruthy();
});

it("has a subject where messages have one, and keeps it with the draft", async () => {
  const made = world();
  made.server.on("GET /channels", { body: [channel("a", { subject: true }), channel("b")] });
  made.server.on("POST /messages", { status: 201, body: entry("n1", "t9") });
  const first = await dialog(made);
  await userEvent.setup().type(screen.getByLabelText("Subject"), " Your bike ");
  first.drawn.unmount();
  await dialog(made);
  expect(screen.getByLabelText<HTMLInputElement>("Subject").value).toBe(" Your bike ");
  await userEvent.setup().selectOptions(screen.getByLabelText("Channel"), "b");
  expect(screen.queryByLabelText("Subject")).toBeNull();
  await userEvent.setup().selectOptions(screen.getByLabelText("Channel"), "a");
  await fill("+15550142000", "Ready");
  await send();
  await settled();
  const [request] = made.server.requests.filter(({ route }) => route === "POST /messages");
  expect(request?.body).toMatchObject({ channel_id: "a", subject: "Your bike", body: "Ready" });
});
