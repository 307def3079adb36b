import { render, screen } from "@testing-library/svelte";
import userEvent from "@testing-library/user-event";
import { describe, expect, it } from "vitest";

import { me, settled, TestServer } from "../../tests/world";
import { Http } from "../core/http";
import { Session } from "../core/session";
import { deviceOf } from "./device";
import NewPassword from "./NewPassword.svelte";
import SignIn from "./SignIn.svelte";

function make() {
  const server = new TestServer();
  const http = new Http({
    origin: "http://hub.test",
    fetch: server.fetch,
    upload: () => Promise.reject(new Error("unused")),
  });
  return { server, session: new Session(http), user: userEvent.setup() };
}

describe("signing in", () => {
  it("asks for what is missing, beside the field it is missing in", async () => {
    const { server, session, user } = make();
    render(SignIn, { session });
    await user.click(screen.getByRole("button", { name: "Sign in" }));
    const email = screen.getByLabelText("Email");
    expect(email.getAttribute("aria-invalid")).toBe("true");
    expect(document.getElementById(email.getAttribute("aria-describedby") ?? "")?.textContent).toBe(
      "Enter your email address.",
    );
    expect(screen.getByText("Enter your password.")).toBeTruthy();
    expect(server.requests).toEqual([]);
  });

  it("says why it was refused, and when it may be tried again", async () => {
    const { server, session, user } = make();
    server.on("POST /api/v1/session", { status: 429, headers: { "Retry-After": "42" } });
    render(SignIn, { session });
    await user.type(screen.getByLabelText("Email"), "mira@example.com");
    await user.type(screen.getByLabelText("Password"), "wrong{Enter}");
    await settled();
    expect(screen.getByRole("alert").textContent).toBe(
      "Too many attempts. Try again in 42 seconds.",
    );
    expect(screen.getByLabelText<HTMLInputElement>("Password").value).toBe("wrong");
  });

  it("goes on where the session was lost", async () => {
    const { server, session, user } = make();
    let done = false;
    server
      .on("POST /api/v1/session", { body: { csrf_token: "t" } })
      .on("GET /api/v1/me", { body: me });
    render(SignIn, {
      session,
      email: "mira@example.com",
      text: "Kept.",
      done: () => (done = true),
    });
    expect(document.activeElement).toBe(screen.getByLabelText("Password"));
    await user.keyboard("right{Enter}");
    await settled();
    expect(done).toBe(true);
    expect(session.state.get()).toBe("in");
  });
});

describe("a second factor", () => {
  it("is asked for with the ticket, and from the beginning where that took too long", async () => {
    const { server, session, user } = make();
    server
      .on("POST /api/v1/session", { status: 202, body: { ticket: "t1", methods: ["code"] } })
      .on("POST /api/v1/session/second", { status: 401 });
    render(SignIn, { session });
    await user.type(screen.getByLabelText("Email"), "mira@example.com");
    await user.type(screen.getByLabelText("Password"), "right{Enter}");
    await settled();
    const code = await screen.findByLabelText("Code");
    expect(session.state.get()).toBe("starting");
    await user.click(screen.getByRole("button", { name: "Continue" }));
    expect(screen.getByText("Enter the code.")).toBeTruthy();
    await user.type(code, "123456{Enter}");
    await settled();
    expect(server.last("POST /api/v1/session/second")?.body).toEqual({
      ticket: "t1",
      code: "123456",
    });
    expect(screen.getByRole("alert").textContent).toBe("That took too long. Sign in again.");
    expect(screen.getByLabelText<HTMLInputElement>("Password").value).toBe("");
  });
});

describe("a device", () => {
  it("is named by what its browser says of itself", () => {
    const chrome =
      "Mozilla/5.0 (Windows NT 10.0; Win64) AppleWebKit/537.36 Chrome/142.0 Safari/537.36";
    expect(deviceOf(chrome)).toBe("Chrome on Windows");
    expect(deviceOf(`${chrome} Edg/142.0`)).toBe("Edge on Windows");
    expect(deviceOf("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0) Version/19.0 Safari/604.1")).toBe(
      "Safari on iPhone",
    );
    expect(deviceOf("python-httpx2/2.16.2")).toBe("python-httpx2/2.16.2");
    expect(deviceOf(null)).toBeNull();
  });
});

describe("a new password", () => {
  it("is long enough and another one, and is shown on request", async () => {
    const { server, session, user } = make();
    server.on("POST /api/v1/me/password", { status: 204 }).on("GET /api/v1/me", { body: me });
    render(NewPassword, { session });
    const current = screen.getByLabelText("Password you signed in with");
    const wanted = screen.getByLabelText("New password");
    const submit = screen.getByRole("button", { name: "Save and continue" });
    await user.click(submit);
    expect(screen.getByText("Enter the password you signed in with.")).toBeTruthy();
    await user.type(current, "one-time-password");
    await user.type(wanted, "one-time-password");
    expect(screen.getByText(/is the one you have/)).toBeTruthy();
    await user.clear(wanted);
    await user.type(wanted, "short");
    expect(screen.getByText(/needs at least/)).toBeTruthy();
    await user.click(screen.getAllByRole("button", { name: "Show password" })[0] as HTMLElement);
    expect(current.getAttribute("type")).toBe("text");
    await user.type(wanted, " but not for long");
    await user.click(submit);
    await settled();
    expect(server.last("POST /api/v1/me/password")?.body).toEqual({
      current_password: "one-time-password",
      new_password: "short but not for long",
    });
    expect(session.state.get()).toBe("in");
  });

  it("is asked for alone by the page one has just signed in at", async () => {
    const { server, session, user } = make();
    const once = { ...me, must_change_password: true };
    server
      .on("POST /api/v1/session", { body: { csrf_token: "t" } })
      .on("GET /api/v1/me", { body: once })
      .on("POST /api/v1/me/password", { status: 204 });
    await session.signIn("mira@example.com", "one-time-password");
    expect(session.state.get()).toBe("password");
    render(NewPassword, { session });
    expect(screen.queryByLabelText("Password you signed in with")).toBeNull();
    const wanted = screen.getByLabelText("New password");
    expect(document.activeElement).toBe(wanted);
    server.on("GET /api/v1/me", { body: me });
    await user.type(wanted, "short but not for long{Enter}");
    await settled();
    expect(server.last("POST /api/v1/me/password")?.body).toEqual({
      current_password: "one-time-password",
      new_password: "short but not for long",
    });
    expect(session.state.get()).toBe("in");
    expect(session.once).toBeNull();
  });
});
