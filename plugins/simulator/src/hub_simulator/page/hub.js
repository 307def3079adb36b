/** What the page says to the channel's own routes, which lie beside it. */

let token = null;

/** A refusal in words that can be shown. */
export class Refused extends Error {
  constructor(words, status = 0) {
    super(words);
    this.status = status;
  }
}

export const getJson = (path, query = {}, signal = undefined) =>
  answered(fetch(`${path}?${new URLSearchParams(query)}`, { signal }));

export const postJson = (path, body) => post(path, JSON.stringify(body), "application/json");

export async function post(path, body, contentType) {
  token ??= (await answered(fetch("/api/v1/me"))).csrf_token;
  try {
    const headers = { "Content-Type": contentType, "X-CSRF-Token": token ?? "" };
    return await answered(fetch(path, { method: "POST", headers, body }));
  } catch (error) {
    // A new session has a new token: ask for it next time.
    if (error instanceof Refused) token = null;
    throw error;
  }
}

async function answered(request) {
  let response;
  try {
    response = await request;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused("The hub cannot be reached.");
  }
  const text = await response.text();
  const isJson = /\bjson\b/.test(response.headers.get("Content-Type") ?? "");
  const body = text && isJson ? JSON.parse(text) : null;
  if (response.ok) return body;
  if (response.status === 401) throw new Refused("You are signed out: sign in to the hub.", 401);
  const words = body?.detail || body?.title || `The hub answered ${response.status}.`;
  throw new Refused(words, response.status);
}
