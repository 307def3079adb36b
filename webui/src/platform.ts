import { Cell } from "./core/cell";
import { systemClock } from "./core/clock";
import type { Storage } from "./core/drafts";
import { Http, type UploadRequest } from "./core/http";
import type { InboxPorts } from "./core/inbox";
import type { Socket, SocketEvents } from "./core/stream";

/** The browser's storage; a browser that keeps nothing is no reason to stop. */
export const browserStorage: Storage = {
  get(key) {
    try {
      return localStorage.getItem(key);
    } catch {
      return null;
    }
  },
  set(key, value) {
    try {
      localStorage.setItem(key, value);
    } catch {
      // Full or forbidden: the draft lives as long as the page.
    }
  },
  remove(key) {
    try {
      localStorage.removeItem(key);
    } catch {
      // Nothing was kept.
    }
  },
  keys() {
    try {
      return Object.keys(localStorage);
    } catch {
      return [];
    }
  },
};

/** `fetch` cannot tell how much of a body has gone out; this can. */
function upload({ url, headers, file, name, progress, signal }: UploadRequest): Promise<Response> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", url);
    for (const [header, value] of Object.entries(headers)) request.setRequestHeader(header, value);
    request.upload.onprogress = (event) => {
      if (event.lengthComputable) progress(event.loaded / event.total);
    };
    request.onload = () => {
      const after = request.getResponseHeader("Retry-After");
      resolve(
        new Response(request.responseText || null, {
          status: request.status,
          headers: after === null ? {} : { "Retry-After": after },
        }),
      );
    };
    request.onerror = () => {
      reject(new TypeError("upload failed"));
    };
    signal.addEventListener("abort", () => {
      request.abort();
      reject(new DOMException("aborted", "AbortError"));
    });
    const body = new FormData();
    body.append("file", file, name);
    request.send(body);
  });
}

function connect(path: string, events: SocketEvents): Socket {
  const url = new URL(path, location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(url);
  socket.onopen = () => {
    events.open();
  };
  socket.onmessage = (event) => {
    events.message(String(event.data));
  };
  socket.onclose = () => {
    events.closed();
  };
  return {
    send(text) {
      if (socket.readyState === WebSocket.OPEN) socket.send(text);
    },
    close() {
      socket.onclose = null;
      socket.close();
    },
  };
}

export const http = new Http({
  origin: location.origin,
  fetch: (request) => fetch(request),
  upload,
});

const visible = new Cell(document.visibilityState === "visible");
document.addEventListener("visibilitychange", () => {
  visible.set(document.visibilityState === "visible");
});

export const ports: InboxPorts = {
  http,
  clock: systemClock,
  random: () => Math.random(),
  // Randomness without `crypto.randomUUID`, which a page without TLS does not have.
  uuid: () =>
    [...crypto.getRandomValues(new Uint8Array(16))]
      .map((byte) => byte.toString(16).padStart(2, "0"))
      .join(""),
  storage: browserStorage,
  // A page in the background or behind another window gets few frames or none, and shows what
  // came all the same.
  nextFrame: (run) => {
    const done = (): void => {
      cancelAnimationFrame(frame);
      clearTimeout(timer);
      run();
    };
    const frame = requestAnimationFrame(done);
    const timer = setTimeout(done, 100);
  },
  connect,
  visible,
};

/** Runs what can wait once there is nothing else to do. */
export function whenIdle(run: () => void): void {
  // Safari cannot say when that is.
  const idle = window.requestIdleCallback ?? ((later: () => void) => setTimeout(later, 500));
  idle(run);
}
