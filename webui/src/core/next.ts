/**
 * Where to go after signing in, from the address of the sign-in page: a page that a channel brings
 * and that was asked for before, or `null`. Never another site.
 */
export function nextAfterSignIn(search: string): string | null {
  const next = new URLSearchParams(search).get("next");
  return next !== null && /^\/hooks\/[\w./~%?=&-]+$/u.test(next) ? next : null;
}
