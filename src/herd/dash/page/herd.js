// The way to the herd: questions, orders and the stream of events, each with the token.

const TOKEN = "herd.token";
const READ_ONLY = "herd.read-only";
const AGAIN_AFTER_MS = 1000;
/// A herd that says nothing for so long is gone: it says an empty line at least every 20 seconds.
const SILENCE_MS_MAX = 60_000;

/// Takes the token out of the address, where it could be read over a shoulder, and loads the page anew without it.
/// Says whether that is under way.
export function takeToken() {
  const said = new URLSearchParams(location.hash.slice(1));
  const token = said.get("t") ?? said.get("look");
  if (!token) return false;
  sessionStorage.setItem(TOKEN, token);
  sessionStorage.setItem(READ_ONLY, said.has("look") ? "yes" : "");
  location.replace(location.pathname);
  return true;
}

export const hasToken = () => Boolean(sessionStorage.getItem(TOKEN));
export const isReadOnly = () => sessionStorage.getItem(READ_ONLY) === "yes";

/// The herd's refusal, in its own words.
export class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export const ask = async (path) => (await reach(path)).json();
export const askText = async (path) => (await reach(path)).text();

export async function order(path, body) {
  const headers = { "Content-Type": "application/json" };
  return (await reach(path, { method: "POST", headers, body: JSON.stringify(body) })).json();
}

async function reach(path, request = {}) {
  const headers = { ...request.headers, "X-Herd-Token": sessionStorage.getItem(TOKEN) ?? "" };
  const answer = await fetch(path, { ...request, headers });
  if (answer.ok) return answer;
  throw new Refusal(answer.status, messageOf(await answer.text()));
}

function messageOf(text) {
  try {
    const failure = JSON.parse(text);
    return failure.hint ? `${failure.message} (${failure.hint})` : failure.message;
  } catch {
    return text.trim();
  }
}

/// Events as they happen, a batch at a time, for as long as somebody sees the page. What came while nobody did, or
/// while the herd was out of reach, is told afterwards, or stated as a gap.
export class Stream {
  constructor({ onBatch, onContact }) {
    this.onBatch = onBatch;
    this.onContact = onContact;
    this.last = 0;
    this.run = undefined;
    document.addEventListener("visibilitychange", () => this.see());
    this.see();
  }

  see() {
    this.reading?.abort();
    if (document.hidden) return this.onContact("paused");
    this.reading = new AbortController();
    this.follow(this.reading.signal);
  }

  async follow(signal) {
    while (!signal.aborted) {
      try {
        await this.read(signal);
      } catch (why) {
        if (signal.aborted) return;
        this.onContact(why instanceof Refusal && why.status === 401 ? "refused" : "disconnected");
      }
      await new Promise((done) => setTimeout(done, AGAIN_AFTER_MS));
    }
  }

  async read(signal) {
    const query = new URLSearchParams({ flood: "true", since: this.last, ...(this.run && { run: this.run }) });
    const answer = await reach(`/v1/events?${query}`, { signal });
    this.onContact("live");
    const pieces = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await within(SILENCE_MS_MAX, pieces.read());
      if (done) return this.onContact("disconnected");
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      this.take(lines);
    }
  }

  take(lines) {
    const events = lines.filter(Boolean).map((line) => JSON.parse(line));
    if (events.length === 0) return;
    const { seq, run } = events.at(-1);
    const isNewRun = this.run !== undefined && run !== this.run;
    this.last = seq;
    this.run = run;
    this.onBatch(events, isNewRun);
  }
}

function within(ms, promise) {
  let timer;
  const late = new Promise((_, refuse) => (timer = setTimeout(() => refuse(new Error("silence")), ms)));
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
