// k6/ws: each virtual user sends a numbered message every so many milliseconds, and times the answer as k6 can, in ms.
import { Trend } from "k6/metrics";
import ws from "k6/ws";

const taken = new Trend("taken", true);

export default function () {
  ws.connect(__ENV.URL, {}, (socket) => {
    const sent = new Map();
    let number = 0;
    socket.on("open", () => {
      socket.setInterval(() => {
        number += 1;
        sent.set(String(number), Date.now());
        socket.send(String(number));
      }, Number(__ENV.EVERY_MS));
      socket.setTimeout(() => socket.close(), 1000 * __ENV.SECONDS);
    });
    socket.on("message", (text) => {
      taken.add(Date.now() - sent.get(text));
      sent.delete(text);
    });
  });
}
