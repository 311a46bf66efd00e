// A Socket.IO 4 server: an event with an acknowledgement, and one that is pushed every 50 ms.
//
//   node socketio.js PORT
//
// Prints "listening PORT". It pings twice a second, and drops a client that does not answer.
"use strict";

const { createServer } = require("node:http");
const { Server } = require("socket.io");

const http = createServer();
const io = new Server(http, { pingInterval: 500, pingTimeout: 1000 });

io.on("connection", (socket) => {
  socket.on("order", ({ item }, acknowledge) => setTimeout(() => acknowledge({ item, ok: item !== "gold" }), 20));
});

setInterval(() => io.emit("news", { at: Date.now() }), 50);

http.listen(Number(process.argv[2] ?? 0), "127.0.0.1", () => console.log(`listening ${http.address().port}`));
