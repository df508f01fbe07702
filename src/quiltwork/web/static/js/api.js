// Talking to the server: questions, orders, and the stream of what is new.
export class Refused extends Error {}

async function answer(response) {
  const text = await response.text();
  let said = {};
  try {
    said = JSON.parse(text);
  } catch {
    said = { error: text.trim() };
  }
  if (!response.ok) throw new Refused(said.error || `the server answered ${response.status}`);
  return said;
}

export const ask = async (path) => answer(await fetch(path));

export const order = async (path, what = {}) =>
  answer(
    await fetch(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(what) }),
  );

export const runPath = (run, ...rest) => ["/api/runs", encodeURIComponent(run), ...rest].join("/");

// Events until the page ends. The browser comes back with the last event's id by itself; where it gives up, we do.
export function follow(path, tell) {
  const line = document.getElementById("line");
  let last = "";
  const open = () => {
    const stream = new EventSource(last ? `${path}?since=${encodeURIComponent(last)}` : path);
    stream.onopen = () => {
      line.textContent = "";
      document.body.dataset.line = "open";
    };
    stream.onmessage = (event) => {
      last = event.lastEventId || last;
      tell(JSON.parse(event.data));
    };
    stream.onerror = () => {
      document.body.dataset.line = "lost";
      line.textContent = "The server does not answer. Trying again\u2026";
      if (stream.readyState === EventSource.CLOSED) setTimeout(open, 2000);
    };
    addEventListener("pagehide", () => stream.close(), { once: true });
  };
  open();
}
