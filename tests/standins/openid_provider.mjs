// A provider of identities for the tests: the certified oidc-provider, with accounts that are what
// their names say: base64url of {sub, email, email_verified, name}.
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [port, redirect, root] = process.argv.slice(2);
const require = createRequire(`${root}/package.json`);
const { Provider } = await import(pathToFileURL(require.resolve("oidc-provider")).href);

// Keys of its own each time it is started.
const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const key = { ...privateKey.export({ format: "jwk" }), kid: randomUUID(), use: "sig" };

const issuer = `http://127.0.0.1:${port}`;
const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "hub",
      client_secret: "a secret of the tests: 100% + more",
      redirect_uris: [redirect],
      response_types: ["code"],
      grant_types: ["authorization_code"],
    },
  ],
  jwks: { keys: [key] },
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
  cookies: { keys: ["for the tests"] },
  pkce: { required: () => true },
  findAccount: (_context, id) => {
    const known = JSON.parse(Buffer.from(id, "base64url").toString());
    return { accountId: id, claims: () => ({ ...known, sub: id }) };
  },
});
provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));
