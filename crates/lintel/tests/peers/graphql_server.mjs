// A GraphQL service of graphql-yoga, with subscriptions over server-sent events, and of graphql-ws over WebSocket.
//
//   graphql_server.mjs MODULES
//
// Prints `listening PORT`, and `ended` when a subscription that was begun has no subscriber any more. The
// subscription `ticks` has a value for every mutation `tick`.

import { createServer } from "node:http";
import { createRequire } from "node:module";

const require = createRequire(`${process.argv[2]}/server.js`);
const { createSchema, createYoga, createPubSub } = require("graphql-yoga");
const { useServer } = require("graphql-ws/use/ws");
const { WebSocketServer } = require("ws");

const ticks = createPubSub();
let count = 0;

async function* ticking() {
  const values = ticks.subscribe("tick");
  // A value at once, so that who reads it knows that those to come are heard.
  yield { ticks: 0 };
  try {
    for await (const value of values) yield { ticks: value };
  } finally {
    console.log("ended");
  }
}

const schema = createSchema({
  typeDefs: `
    type Query { book(id: Int!): String, tenant: String, broken: String }
    type Mutation { tick: Int! }
    type Subscription { ticks: Int! }
  `,
  resolvers: {
    Query: {
      book: (_, { id }) => `book ${id}`,
      tenant: (_, __, { request }) => request.headers.get("x-tenant"),
      broken: () => {
        throw new Error("not for clients");
      },
    },
    Mutation: {
      tick: () => {
        count += 1;
        ticks.publish("tick", count);
        return count;
      },
    },
    Subscription: { ticks: { subscribe: ticking } },
  },
});

const server = createServer(createYoga({ schema, logging: false, landingPage: false }));
useServer({ schema }, new WebSocketServer({ server, path: "/graphql" }));
server.listen(0, "127.0.0.1", () => console.log(`listening ${server.address().port}`));
