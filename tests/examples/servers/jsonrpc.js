// A market over JSON-RPC 2.0: requests answered in any order, and prices pushed to everybody.
//
//   node jsonrpc.js PORT [MILLISECONDS THAT getBook TAKES]
//
// Prints "listening PORT". getBook takes 10 ms or what it is told, placeOrder 5 ms; every tenth order is
// refused at once with error -32001.
"use strict";

const { WebSocketServer, WebSocket } = require("ws");

const [port, bookMs] = [Number(process.argv[2] ?? 0), Number(process.argv[3] ?? 10)];
const market = new WebSocketServer({ host: "127.0.0.1", port });
let orders = 0;

function send(socket, message) {
  if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ jsonrpc: "2.0", ...message }));
}

const methods = {
  subscribe: (socket, id) => send(socket, { id, result: true }),
  getBook: (socket, id) =>
    setTimeout(() => send(socket, { id, result: { bids: [[99, 5]], asks: [[101, 3]] } }), bookMs),
  placeOrder(socket, id) {
    orders += 1;
    if (orders % 10 === 0) send(socket, { id, error: { code: -32001, message: "no margin" } });
    else setTimeout(() => send(socket, { id, result: { order: orders } }), 5);
  },
};

market.on("connection", (socket) => {
  socket.on("message", (data) => {
    const { id, method } = JSON.parse(data.toString());
    if (method in methods) methods[method](socket, id);
    else send(socket, { id, error: { code: -32601, message: "Method not found" } });
  });
  socket.on("error", () => {}); // a "close" follows
});

setInterval(() => {
  for (const socket of market.clients) send(socket, { method: "price", params: { value: 100, at: Date.now() } });
}, 20);

market.on("listening", () => console.log(`listening ${market.address().port}`));
