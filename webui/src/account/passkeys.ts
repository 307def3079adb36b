import {
  browserSupportsWebAuthn,
  type PublicKeyCredentialCreationOptionsJSON,
  type PublicKeyCredentialRequestOptionsJSON,
  startAuthentication,
  startRegistration,
} from "@simplewebauthn/browser";

import type { Http } from "../core/http";
import { reasonOf, Refused } from "../core/problem";
import type { Passkey, PasskeyAdded } from "../core/wire";
import { t } from "./strings";

interface Asked {
  ticket: string;
  options: unknown;
}

/** Why this page cannot use passkeys, in words, or `null`. `origin`: where pages can. */
export function whyNot(origin: string | null): string | null {
  if (origin === null) return t.passkeys.nowhere;
  if (origin !== location.origin) return t.passkeys.elsewhere(origin);
  return browserSupportsWebAuthn() ? null : t.passkeys.unsupported;
}

/** What the browser's own prompt ends with, as names of errors. */
const ended: Readonly<Record<string, string>> = {
  NotAllowedError: t.passkeys.cancelled,
  AbortError: t.passkeys.cancelled,
  InvalidStateError: t.passkeys.there,
  SecurityError: t.passkeys.address,
};

/** Why it failed, in words for the person. */
export function wordsFor(error: unknown): string {
  if (error instanceof Refused && error.status === 401) {
    if (error.problem?.code === "wrong_passkey") return t.passkeys.unknown;
    if (error.problem?.code === "bad_ticket") return t.signIn.late;
  }
  if (error instanceof DOMException || (error instanceof Error && "code" in error)) {
    const { cause } = error;
    const name = cause instanceof DOMException ? cause.name : error.name;
    return ended[name] ?? t.passkeys.device;
  }
  return reasonOf(error);
}

async function shown({ ticket, options }: Asked) {
  const optionsJSON = options as PublicKeyCredentialRequestOptionsJSON;
  const credential = { ...(await startAuthentication({ optionsJSON })) };
  return { ticket, credential };
}

/** Signs in with a passkey and nothing else. */
export async function signInAlone(http: Http): Promise<void> {
  const { data } = await http.ask((client) => client.POST("/api/v1/session/passkey"));
  const body = await shown(data);
  await http.ask((client) => client.POST("/api/v1/session/passkey/use", { body }));
}

/** Signs in with a passkey after the password. */
export async function signInBesides(http: Http, ticket: string): Promise<void> {
  const { data } = await http.ask((client) =>
    client.POST("/api/v1/session/second/passkey", { body: { ticket } }),
  );
  const body = await shown(data);
  await http.ask((client) => client.POST("/api/v1/session/second/passkey/use", { body }));
}

/** Makes a passkey on a device of the person's. */
export async function addPasskey(
  http: Http,
  name: string,
  password: string | null,
): Promise<PasskeyAdded> {
  const { data } = await http.ask((client) =>
    client.POST("/api/v1/me/passkeys", { body: { password } }),
  );
  const optionsJSON = data.options as unknown as PublicKeyCredentialCreationOptionsJSON;
  const credential = { ...(await startRegistration({ optionsJSON })) };
  const body = { ticket: data.ticket, name, credential };
  const added = http.ask((client) => client.POST("/api/v1/me/passkeys/confirm", { body }));
  return (await http.renew(added)).data;
}

export async function renamePasskey(
  http: Http,
  passkey_id: string,
  name: string,
): Promise<Passkey> {
  const params = { path: { passkey_id } };
  const answer = await http.ask((client) =>
    client.PATCH("/api/v1/me/passkeys/{passkey_id}", { params, body: { name } }),
  );
  return answer.data;
}

/** What is asked before a factor goes: the password, and whether the last one may. */
export interface Proof {
  password: string | null;
  last: boolean;
}

export async function removePasskey(http: Http, passkey_id: string, body: Proof): Promise<void> {
  const params = { path: { passkey_id } };
  const removed = http.ask((client) =>
    client.POST("/api/v1/me/passkeys/{passkey_id}/remove", { params, body }),
  );
  await http.renew(removed);
}

export async function removeApp(http: Http, body: Proof): Promise<void> {
  await http.renew(http.ask((client) => client.POST("/api/v1/me/totp/remove", { body })));
}
