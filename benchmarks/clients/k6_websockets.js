// k6/experimental/websockets, the module with an event loop: the same.
import { WebSocket } from "k6/experimental/websockets";

const message = "x".repeat(__ENV.BYTES);

export default function () {
  const socket = new WebSocket(__ENV.URL);
  socket.onopen = () => socket.send(message);
  socket.onmessage = () => socket.send(message);
}
