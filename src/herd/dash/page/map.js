// Where the clients are, on a plain graticule, coloured by which servers know the newest position.

import { button, element, plain, say, set, shape } from "./elements.js";
import { order } from "./herd.js";

/// So often the clients are asked for at most, if any has moved; with many of them, where the answer is long, seldomer.
const EVERY_MS = 1000;
const SELDOM_MS = 5000;
const MANY = 200;
/// Colours for sets of servers; the first is for all of them.
const COLOURS = 6;
const WORLD = { west: -180, north: -90, width: 360 };
const WIDTH_MIN = 0.5;
const STEPS = [30, 10, 5, 1, 0.5, 0.1];

export class ClientMap {
  constructor(home, { onChoose }) {
    this.onChoose = onChoose;
    this.isWhole = true;
    this.clients = [];
    this.svg = shape("svg", { role: "img", "aria-label": "Map of the clients" });
    this.lines = this.svg.appendChild(shape("g", { class: "graticule" }));
    this.dots = this.svg.appendChild(shape("g"));
    this.legend = element("ul", { class: "legend" });
    this.zoom = button("fit to clients", () => this.turn(), { "aria-pressed": "false" });
    home.append(this.svg, element("div", { class: "row" }, this.zoom, this.legend));
    this.draw();
  }

  /// Asks again if somebody has moved and it is time.
  async look(ps) {
    const editions = ps.servers.map((server) => `${server.state}${server.edition}`).join();
    const most = Math.max(0, ...ps.servers.map((server) => server.knows));
    const isDue = performance.now() - (this.askedAt ?? -Infinity) >= (most > MANY ? SELDOM_MS : EVERY_MS);
    if (!isDue || editions === this.editions) return;
    [this.askedAt, this.editions] = [performance.now(), editions];
    const told = await order("/v1/whereis", { all: true }).catch(() => (this.editions = undefined));
    if (!told) return;
    this.clients = told.clients.map(clientOf).filter(Boolean);
    this.known = told.known;
    this.draw();
  }

  turn() {
    this.isWhole = !this.isWhole;
    set(this.zoom, { "aria-pressed": String(!this.isWhole) });
    this.draw();
  }

  draw() {
    const view = this.isWhole ? WORLD : viewOf(this.clients);
    set(this.svg, { viewBox: [view.west, view.north, view.width, view.width / 2].join(" ") });
    this.drawGraticule(view);
    const sets = setsOf(this.clients);
    this.dots.replaceChildren(...this.clients.flatMap((client) => this.marksOf(client, sets.get(client.set), view)));
    this.legend.replaceChildren(...[...sets.values()].map(legendRow));
    if (this.clients.length === 0) say(this.legend, "no client has said where it is");
  }

  drawGraticule({ west, north, width }) {
    const step = STEPS.find((step) => width / step >= 5) ?? STEPS.at(-1);
    const lines = [];
    for (let x = Math.ceil(west / step) * step; x <= west + width; x += step) {
      lines.push(shape("line", { x1: x, x2: x, y1: north, y2: north + width / 2 }));
    }
    for (let y = Math.ceil(north / step) * step; y <= north + width / 2; y += step) {
      lines.push(shape("line", { x1: west, x2: west + width, y1: y, y2: y, class: y === 0 ? "equator" : false }));
    }
    this.lines.replaceChildren(...lines);
  }

  /// The newest position, and where servers that are behind believe the client to be.
  marksOf(client, { colour }, { width }) {
    const size = width / 70;
    const { x, y } = client.newest;
    const group = shape("g", { class: `client colour-${colour}`, "data-client": client.name });
    for (const old of client.old) {
      group.append(shape("line", { class: "behind", x1: old.x, y1: old.y, x2: x, y2: y }),
        shape("circle", { class: "old", cx: old.x, cy: old.y, r: size * 0.7 }));
    }
    group.append(client.agreed ? shape("circle", { cx: x, cy: y, r: size })
      : shape("path", { d: `M${x} ${y - size * 1.4}l${size * 1.4} ${size * 1.4}l${-size * 1.4} ${size * 1.4}l${-size * 1.4} ${-size * 1.4}z` }));
    group.append(shape("title", {}, `${plain(client.name)}: newest at ${plain(client.set)}`));
    group.addEventListener("click", () => this.onChoose(client.name));
    return [group];
  }
}

function clientOf({ client, agreed, servers }) {
  const newest = servers.filter((server) => server.knows === "newest");
  const place = placeOf(newest[0]?.location);
  const old = servers.filter((server) => server.knows === "old").map((server) => placeOf(server.location));
  return place && { name: client, agreed, newest: place, old: old.filter(Boolean), set: nameOf(newest, servers) };
}

const nameOf = (some, all) => (some.length === all.length ? "all that answer" : some.map(({ server }) => server).join(", "));

/// `±latitude±longitude`; south is down.
function placeOf(location) {
  const [, latitude, longitude] = /^([+-][\d.]+)([+-][\d.]+)$/.exec(location ?? "") ?? [];
  return latitude === undefined ? undefined : { x: Number(longitude), y: -Number(latitude) };
}

/// Each set of servers that know the newest of somebody, with its colour and how many clients it has.
function setsOf(clients) {
  const sets = new Map();
  for (const { set: name, agreed } of clients) {
    const colour = agreed ? 0 : 1 + ([...sets.values()].filter((known) => !known.agreed).length % (COLOURS - 1));
    const known = sets.get(name) ?? { name, agreed, colour, count: 0 };
    known.count++;
    sets.set(name, known);
  }
  return sets;
}

function legendRow({ name, agreed, colour, count }) {
  const words = `${agreed ? "●" : "◆"} ${count} known to ${plain(name)}`;
  return element("li", { class: `colour-${colour}` }, words);
}

/// All the clients, with some room around them.
function viewOf(clients) {
  const places = clients.flatMap((client) => [client.newest, ...client.old]);
  if (places.length === 0) return WORLD;
  const [xs, ys] = [places.map(({ x }) => x), places.map(({ y }) => y)];
  const [west, east, north, south] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const width = Math.min(360, Math.max(WIDTH_MIN, (east - west) * 1.3, (south - north) * 2.6));
  return { west: (west + east - width) / 2, north: (north + south - width / 2) / 2, width };
}
