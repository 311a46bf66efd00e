// k6/ws: each virtual user sends a message as soon as the one before has come back. k6 counts them; nothing is timed.
import ws from "k6/ws";

const message = __ENV.MESSAGE ? open(__ENV.MESSAGE) : "x".repeat(__ENV.BYTES);
const options = __ENV.DEFLATE ? { compression: "deflate" } : {};

export default function () {
  ws.connect(__ENV.URL, options, (socket) => {
    socket.on("open", () => socket.send(message));
    socket.on("message", () => socket.send(message));
  });
}
