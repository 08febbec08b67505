// The servers and their links, with what is wrong with them. A state is a shape and a word before it is a colour.

import { plain, say, set, shape } from "./elements.js";

const CENTRE = { x: 320, y: 210 };
const RADIUS = { x: 235, y: 148 };
const NODE = 24;
/// With more servers than this, no order of them is looked for.
const UNTANGLED_MAX = 24;

const MARKS = {
  running: "✓", starting: "…", stopping: "…", paused: "‖", stopped: "■", killed: "✕", crashed: "!", failed: "!",
};

export class Topology {
  constructor(svg, { onChoose, onMenu }) {
    this.svg = svg;
    this.links = svg.appendChild(shape("g"));
    this.dots = svg.appendChild(shape("g", { "aria-hidden": "true" }));
    this.nodes = svg.appendChild(shape("g"));
    this.drawn = new Map();
    this.places = new Map();
    this.shape = "";
    this.hears = (thing, node) => {
      node.addEventListener("click", () => onChoose(thing));
      node.addEventListener("focus", () => onChoose(thing));
      node.addEventListener("contextmenu", (event) => {
        event.preventDefault();
        onChoose(thing);
        onMenu(thing, event.clientX, event.clientY);
      });
      node.addEventListener("keydown", (event) => {
        if (event.key !== "Enter") return;
        event.preventDefault();
        const { left, bottom } = node.getBoundingClientRect();
        onMenu(thing, left, bottom);
      });
    };
  }

  draw(ps, chosen) {
    this.place(ps);
    for (const server of ps.servers) this.drawServer(server, chosen === server.name);
    for (const link of ps.links) {
      const faults = ps.faults.filter((fault) => isOf(fault, link));
      this.drawLink(link, faults, chosen === linkKey(link));
    }
  }

  /// Where something on its way from one server to another is; `part` of 0 is there, 1 is here.
  between(from, to, part) {
    const [a, b] = [this.places.get(from), this.places.get(to)];
    return a && b && { x: a.x + (b.x - a.x) * part, y: a.y + (b.y - a.y) * part };
  }

  /// Marks the servers that know what is being followed.
  mark(knowing) {
    for (const name of this.places.keys()) this.drawn.get(name)?.group.classList.toggle("knows", knowing.has(name));
  }

  place(ps) {
    const now = JSON.stringify([ps.servers.map((server) => server.name), ps.links.map(linkKey)]);
    if (now === this.shape) return;
    this.shape = now;
    this.drawn.clear();
    this.links.replaceChildren();
    this.nodes.replaceChildren();
    const names = untangled(ps.servers.map((server) => server.name), ps.links);
    this.places = new Map(names.map((name, nth) => [name, onCircle(nth, names.length)]));
    for (const link of ps.links) this.addLink(link);
    for (const server of ps.servers) this.addServer(server);
  }

  addServer({ name }) {
    const { x, y } = this.places.get(name);
    // Outside the circle, where no link runs.
    const below = y < CENTRE.y ? -NODE - 26 : NODE + 18;
    const mark = shape("text", { class: "mark", y: 7 });
    const label = shape("text", { class: "label", y: below }, plain(name));
    const word = shape("text", { class: "word", y: below + 16 });
    const disc = shape("circle", { r: NODE });
    const group = shape("g", { transform: `translate(${x} ${y})`, tabindex: 0, role: "button" });
    group.append(shape("circle", { class: "halo", r: NODE + 7 }), disc, mark, label, word);
    this.hears({ server: name }, group);
    this.nodes.append(group);
    this.drawn.set(name, { group, mark, word });
  }

  drawServer(server, isChosen) {
    const { group, mark, word } = this.drawn.get(server.name);
    const { state, links, links_up: up, knows } = server;
    set(group, {
      class: `server ${state}${group.classList.contains("knows") ? " knows" : ""}`,
      "data-server": server.name,
      "data-state": state,
      "aria-pressed": String(isChosen),
      "aria-label": `${plain(server.name)}, ${state}, ${up} of ${links} links up, knows ${knows}`,
    });
    say(mark, MARKS[state] ?? "?");
    say(word, state === "running" ? `knows ${knows}` : state);
  }

  addLink(link) {
    const [a, b] = [this.places.get(link.from), this.places.get(link.to)];
    const ends = { x1: a.x, y1: a.y, x2: b.x, y2: b.y };
    const label = shape("text", { class: "label", x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 - 6 });
    const group = shape("g", { tabindex: 0, role: "button" });
    group.append(shape("line", { ...ends, class: "reach" }), shape("line", { ...ends, class: "line" }), label);
    this.hears({ link: [link.from, link.to] }, group);
    this.links.append(group);
    this.drawn.set(linkKey(link), { group, label });
  }

  drawLink(link, faults, isChosen) {
    const { group, label } = this.drawn.get(linkKey(link));
    const isCut = faults.some((fault) => fault.kind === "cut");
    const state = isCut ? "cut" : link.up ? "up" : "down";
    const words = faults.map((fault) => faultWords(fault));
    const lag = link.lag?.some((editions) => editions > 0) ? [`lag ${link.lag.join("/")}`] : [];
    const said = [...words, ...(state === "down" ? ["✕ down"] : lag)].join(" · ");
    set(group, {
      class: `link ${state}${faults.length > 0 ? " faulty" : ""}`,
      "data-link": linkKey(link),
      "data-state": state,
      "aria-pressed": String(isChosen),
      "aria-label": `link ${plain(link.from)} to ${plain(link.to)}, ${[state, ...words].join(", ")}`,
    });
    say(label, said);
  }
}

export const linkKey = (link) => `${link.from}–${link.to}`;

/// What is wrong, as it stands on a link: which way, and what.
function faultWords(fault) {
  const way = fault.one_way ? `→ ${plain(fault.to)} ` : "";
  const what = {
    cut: () => (fault.silent ? "✂ cut, silent" : "✂ cut"),
    delay: () => `+${fault.delay_ms} ms${fault.jitter_ms ? ` ±${fault.jitter_ms}` : ""}`,
    loss: () => `loses ${fault.percent} %`,
    dup: () => `doubles ${fault.percent} %`,
    reorder: () => `reorders ${fault.percent} %`,
    throttle: () => `${fault.bytes_per_second} bytes/s`,
  }[fault.kind];
  const left = fault.expires_in_ms === undefined ? "" : ` (${Math.ceil(fault.expires_in_ms / 1000)} s left)`;
  return way + (what ? what() : fault.kind) + left;
}

function isOf(fault, link) {
  const ends = [link.from, link.to];
  return ends.includes(fault.from) && ends.includes(fault.to);
}

function onCircle(nth, count) {
  const angle = (nth / count) * 2 * Math.PI - Math.PI / 2;
  return { x: CENTRE.x + RADIUS.x * Math.cos(angle), y: CENTRE.y + RADIUS.y * Math.sin(angle) };
}

/// An order of servers around the circle in which few links cross: two change places for as long as that helps.
function untangled(names, links) {
  const order = [...names];
  if (order.length > UNTANGLED_MAX) return order;
  let best = crossings(order, links);
  for (let isBetter = true; isBetter; ) {
    isBetter = false;
    for (let one = 0; one < order.length; one++) {
      for (let other = one + 1; other < order.length; other++) {
        [order[one], order[other]] = [order[other], order[one]];
        const now = crossings(order, links);
        if (now < best) [best, isBetter] = [now, true];
        else [order[one], order[other]] = [order[other], order[one]];
      }
    }
  }
  return order;
}

function crossings(order, links) {
  const seats = new Map(order.map((name, seat) => [name, seat]));
  const chords = links.map((link) => [seats.get(link.from), seats.get(link.to)].sort((a, b) => a - b));
  let count = 0;
  for (const [a, b] of chords) {
    for (const [c, d] of chords) if (a < c && c < b && b < d) count++;
  }
  return count;
}
