// A maker and a reader of tokens: the library jose, of another author than the Python peers.
//
// tokens.mjs MODULES. Every line of the standard input is an order, answered by one line:
//
//   keys                      a JWK Set of one public key for each algorithm, named after it
//   token ALG SUB [CLAIMS]    a token, signed by the key of that name; more claims as JSON
//   encrypt SUB               an encrypted token (JWE), which no gateway reads
//   read URL ISSUER AUDIENCE TOKEN    what a token of the gateway says, or why it is not believed

import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const jose = await import(pathToFileURL(`${process.argv[2]}/jose/dist/webapi/index.js`));
const algorithms = ["RS256", "PS256", "ES256", "ES384", "EdDSA", "Ed25519"];
const keys = new Map();
for (const name of algorithms) {
  keys.set(name, await jose.generateKeyPair(name, { extractable: true }));
}

async function published() {
  const all = [...keys].map(async ([kid, { publicKey }]) => ({
    ...(await jose.exportJWK(publicKey)),
    kid,
    alg: kid,
    use: "sig",
  }));
  return JSON.stringify({ keys: await Promise.all(all) });
}

const claims = (token, sub) =>
  token.setIssuer("https://node.example.com").setSubject(sub).setAudience("api").setIssuedAt().setExpirationTime("1h");

async function order([word, ...rest]) {
  switch (word) {
    case "keys":
      return `keys ${await published()}`;
    case "token": {
      const [alg, sub, more] = rest;
      const own = JSON.parse(more ?? "{}");
      const token = new jose.SignJWT(own).setProtectedHeader({ alg, kid: alg, typ: "JWT" });
      claims(token, sub).setIssuedAt(own.iat);
      return `token ${await token.sign(keys.get(alg).privateKey)}`;
    }
    case "encrypt": {
      const header = { alg: "dir", enc: "A256GCM" };
      const token = new jose.EncryptJWT({}).setProtectedHeader(header);
      return `token ${await claims(token, rest[0]).encrypt(new Uint8Array(32))}`;
    }
    case "read": {
      const [url, issuer, audience, token] = rest;
      try {
        const set = jose.createRemoteJWKSet(new URL(url));
        const { payload } = await jose.jwtVerify(token, set, { issuer, audience, algorithms: ["EdDSA"], clockTolerance: 5 });
        return `says ${JSON.stringify(payload)}`;
      } catch (error) {
        return `refused ${error.code}`;
      }
    }
  }
  throw new Error(`no such order: ${word}`);
}

console.log("listening 0");
for await (const line of createInterface({ input: process.stdin })) {
  console.log(await order(line.split(" ")));
}
