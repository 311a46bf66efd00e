// A library over GraphQL: a query of 10 ms and a subscription of five events, and one of each that always fails.
//
//   node graphql.js PORT
//
// Prints "listening PORT". It speaks graphql-transport-ws, by the package graphql-ws.
"use strict";

const { setTimeout: sleep } = require("node:timers/promises");
const { buildSchema } = require("graphql");
const { useServer } = require("graphql-ws/use/ws");
const { WebSocketServer } = require("ws");

const schema = buildSchema(`
  type Book { title: String! }
  type Query { book(id: Int!): Book, banned: Book }
  type Subscription { arrival: Book, bannedArrival: Book }
`);

async function* arrival() {
  for (let number = 1; number <= 5; number += 1) {
    await sleep(20);
    yield { arrival: { title: `New book ${number}` } };
  }
}

function refuse() {
  throw new Error("not for you");
}

const roots = {
  query: {
    book: async ({ id }) => (await sleep(10), { title: `Book ${id}` }),
    banned: refuse,
  },
  subscription: { arrival, bannedArrival: refuse },
};

const server = new WebSocketServer({ host: "127.0.0.1", port: Number(process.argv[2] ?? 0), path: "/graphql" });
useServer({ schema, roots }, server);
server.on("listening", () => console.log(`listening ${server.address().port}`));
