// A chat server of another make: the chat page's protocol on the npm package "ws", over TLS.
//
//   node server.js CERTIFICATE KEY
//
// Prints "listening PORT", and when it is told to stop (SIGTERM) what it did, as one line of JSON.
"use strict";

const { readFileSync } = require("node:fs");
const { createServer } = require("node:https");
const { WebSocketServer, WebSocket } = require("ws");

const [certificate, key] = process.argv.slice(2);
const account = { opens: 0, logins: 0, renamed: 0, posts: 0, delivered: 0, ignored: 0, closes: {} };
const people = new Map(); // socket -> { id, name }
let lastId = 0;

const http = createServer({ cert: readFileSync(certificate), key: readFileSync(key) });
const chat = new WebSocketServer({
  server: http,
  perMessageDeflate: true, // for those who offer it
  handleProtocols: (offered) => (offered.has("json") ? "json" : false),
});

function sendTo(socket, message) {
  if (socket.readyState === WebSocket.OPEN) {
    socket.send(JSON.stringify(message));
    return 1;
  }
  return 0;
}

function sendToAll(message) {
  let sent = 0;
  for (const socket of people.keys()) sent += sendTo(socket, message);
  return sent;
}

function names() {
  return [...people.values()].filter((person) => person.name !== null).map((person) => person.name);
}

function unique(wanted) {
  const taken = new Set(names());
  let name = wanted;
  for (let number = 2; taken.has(name); number += 1) name = `${wanted} (${number})`;
  return name;
}

function login(socket, person, wanted) {
  const name = unique(wanted);
  if (name !== wanted) {
    account.renamed += 1;
    sendTo(socket, { name, id: person.id, type: "rejectusername" });
  }
  person.name = name;
  account.logins += 1;
  sendToAll({ users: names(), type: "userlist" });
  sendToAll({ date: Date.now(), id: person.id, name, type: "username" });
}

function post(person, message) {
  account.posts += 1;
  const text = message.text.replace(/<[^>]+>/g, "");
  // What it does not know of it does not hand on, and it has an order of its own.
  account.delivered += sendToAll({ text, name: person.name, date: message.date, type: "message", id: person.id });
}

function receive(socket, person, data, isBinary) {
  let message = null;
  try {
    message = isBinary ? null : JSON.parse(data.toString());
  } catch {
    message = null;
  }
  if (message !== null && message.type === "username" && typeof message.name === "string") {
    login(socket, person, message.name);
  } else if (message !== null && message.type === "message" && person.name !== null) {
    post(person, message);
  } else {
    account.ignored += 1;
  }
}

chat.on("connection", (socket) => {
  lastId += 1;
  const person = { id: lastId, name: null };
  people.set(socket, person);
  account.opens += 1;
  socket.on("message", (data, isBinary) => receive(socket, person, data, isBinary));
  socket.on("close", (code) => {
    account.closes[code] = (account.closes[code] ?? 0) + 1;
    people.delete(socket);
    if (person.name !== null) sendToAll({ users: names(), type: "userlist" });
  });
  socket.on("error", () => {}); // a "close" follows
  sendTo(socket, { id: person.id, type: "id" });
  // Something that not every chat has: to be tolerated.
  sendTo(socket, { motd: "Welcome", type: "motd" });
});

process.on("SIGTERM", () => {
  process.stdout.write(`${JSON.stringify(account)}\n`, () => process.exit(0));
});

http.listen(0, "127.0.0.1", () => console.log(`listening ${http.address().port}`));
