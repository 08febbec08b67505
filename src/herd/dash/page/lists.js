// The list of events and the end of a log.

import { byId, element, plain, say, set } from "./elements.js";
import { Refusal, askText } from "./herd.js";

/// Rows on the page; older ones are in `herdctl events`.
const ROWS_MAX = 200;
const LOG_EVERY_MS = 1000;

/// Lines by which links say only that they live.
const HEARTBEATS = /^.* \| TOLD \d+ 0\n/gm;

const isHop = (event) => event.kind.startsWith("flood.");

/// What has happened, newest first.
export class EventList {
  constructor() {
    this.list = byId("event-list");
    this.waiting = [];
    this.missed = 0;
    this.showsHops = byId("show-hops");
  }

  take(events) {
    for (const event of events) {
      if (event.kind === "gap") this.missed += event.missed ?? 0;
      if (event.kind === "stream.opened" || (isHop(event) && !this.showsHops.checked)) continue;
      this.waiting.push(event);
    }
    // What would not stay on the page is never put there.
    if (this.waiting.length > ROWS_MAX) this.waiting = this.waiting.slice(-ROWS_MAX);
  }

  draw() {
    if (this.waiting.length === 0) return;
    const rows = this.waiting.reverse().map(row);
    this.waiting = [];
    while (this.list.children.length + rows.length > ROWS_MAX && this.list.lastChild) this.list.lastChild.remove();
    this.list.prepend(...rows);
  }
}

function row(event) {
  if (event.kind === "gap") return element("li", { class: "gap" }, gapWords(event));
  const time = element("time", {}, event.t.slice(11, 23));
  return element("li", { class: `of-${event.kind.split(".")[0]}` }, time, element("b", {}, plain(event.kind)), eventWords(event));
}

function gapWords({ missed, server, note }) {
  const count = missed === undefined ? "events are" : missed === 1 ? "1 event is" : `${missed} events are`;
  return `${count} missing here${server ? ` of ${plain(server)}` : ""}${note ? `: ${plain(note)}` : ""}`;
}

/// An event but for its time and kind.
function eventWords(event) {
  const ends = [event.server, event.peer].filter(Boolean).map(plain).join(event.kind === "flood.heard" ? " ← " : " – ");
  const rest = [event.client, event.addr, event.news, event.answer, event.by && `by ${event.by}`, event.note];
  return [ends, ...rest.filter(Boolean).map(plain)].filter(Boolean).join(" ");
}

/// The end of one server's log, looked at while it is seen.
export class Log {
  constructor() {
    this.text = byId("log-text");
    this.choice = byId("log-server");
    this.choice.addEventListener("change", () => this.look());
    setInterval(() => document.hidden || this.look(), LOG_EVERY_MS);
  }

  draw(ps) {
    const names = ["herd", ...ps.servers.map((server) => server.name)];
    if (this.choice.children.length === names.length) return;
    this.choice.replaceChildren(...names.map((name) => set(element("option", {}, plain(name)), { value: name })));
    this.choice.value = names[1] ?? "herd";
    this.look();
  }

  async look() {
    if (!this.choice.value) return;
    const query = new URLSearchParams({ server: this.choice.value });
    // What was read stays there when the herd is out of reach.
    const said = await askText(`/v1/log?${query}`).catch((why) => (why instanceof Refusal ? why.message : undefined));
    if (said === undefined) return;
    const isAtEnd = this.text.scrollTop + this.text.clientHeight >= this.text.scrollHeight - 4;
    say(this.text, said.replace(HEARTBEATS, ""));
    if (isAtEnd) this.text.scrollTop = this.text.scrollHeight;
  }
}
