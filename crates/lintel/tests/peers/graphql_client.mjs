// A client of graphql_server.mjs: fetch, graphql-sse and graphql-ws.
//
//   graphql_client.mjs MODULES PORT
//
// Exits with 0 when everything was as it should be.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

const [modules, port] = process.argv.slice(2);
const require = createRequire(`${modules}/client.js`);
const overSse = require("graphql-sse").createClient;
const overWebSocket = require("graphql-ws").createClient;
const url = `http://127.0.0.1:${port}/graphql`;

async function post(query, accept, variables) {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", accept },
    body: JSON.stringify({ query, variables }),
  });
  return [response.status, response.headers.get("content-type").split(";")[0], await response.json()];
}

const RESPONSE = "application/graphql-response+json";
const find = "query Find($id: Int!) { book(id: $id) tenant }";
const found = { data: { book: "book 7", tenant: "acme" } };
assert.deepEqual(await post(find, RESPONSE, { id: 7 }), [200, RESPONSE, found]);
assert.deepEqual(await post(find, "application/json", { id: 7 }), [200, "application/json", found]);

// Errors are the service's own; the gateway has no words to add.
const [status, media, syntax] = await post("{", RESPONSE);
assert.deepEqual([status, media], [400, RESPONSE]);
assert.match(syntax.errors[0].message, /^Syntax Error/);
const [, , masked] = await post("{ broken }", RESPONSE);
assert.deepEqual([masked.data, masked.errors[0].message], [{ broken: null }, "Unexpected error."]);

const query = new URLSearchParams({ query: find, variables: '{"id": 7}' });
const get = await fetch(`${url}?${query}`, { headers: { accept: RESPONSE } });
assert.deepEqual([get.status, await get.json()], [200, found]);
const change = await fetch(`${url}?query=mutation{tick}`, { headers: { accept: RESPONSE } });
assert.deepEqual([change.status, change.headers.get("allow")], [405, "POST"]);

// Values come when there are any, and not when the subscription ends.
async function subscribed(client) {
  let first;
  for await (const { data } of client.iterate({ query: "subscription { ticks }" })) {
    if (first === undefined || data.ticks === 0) {
      assert.equal(data.ticks, 0);
      const [, , ticked] = await post("mutation { tick }", RESPONSE);
      first = ticked.data.tick;
    } else {
      assert.equal(data.ticks, first);
      break;
    }
  }
  await client.dispose();
}

await subscribed(overSse({ url }));
await subscribed(overWebSocket({ url: url.replace("http", "ws"), webSocketImpl: require("ws") }));
