// The hops of floods, in the one order of the herd. Pure: events in, what was on its way at a moment out.

/// Older hops are forgotten, in bulk.
const HOPS_MAX = 20_000;
/// So many hops back something on its way, or the beginning of its flood, is looked for.
const BACK_MAX = 600;
/// A report that nobody has heard for so long was lost.
const LOST_US = 3_000_000;

/// One hop: `kind` is told, heard, answered or gap; `at` rises strictly, in microseconds of the herd's clock.
export class Hops {
  constructor() {
    this.forget();
  }

  forget() {
    this.all = [];
    this.onTheirWay = new Map();
    this.now = 0;
  }

  take(events) {
    for (const event of events) this.add(event);
    if (this.all.length > HOPS_MAX * 1.2) this.all = this.all.slice(-HOPS_MAX);
  }

  add(event) {
    if (event.kind === "gap") this.addGap(event);
    if (!event.kind.startsWith("flood.")) return;
    const { seq, server, peer, client, news, answer } = event;
    const hop = { kind: event.kind.slice(6), seq, server, peer, client, news, answer, at: this.moment(event.t) };
    if (hop.kind === "told") this.leave(hop);
    if (hop.kind === "heard" && peer) this.arrive(hop);
    this.all.push(hop);
  }

  /// What is missing may have been an arrival: nothing on its way can be told from what has come.
  addGap(event) {
    this.onTheirWay.clear();
    this.all.push({ kind: "gap", seq: event.seq, missed: event.missed, at: this.moment(event.t) });
  }

  /// Times of two servers may be equal, or a little out of order; numbers never are. Less than a quarter of a
  /// microsecond would be lost in a number as large as today's.
  moment(text) {
    this.now = Math.max(this.now + 0.5, microseconds(text));
    return this.now;
  }

  leave(hop) {
    const key = `${hop.server}\n${hop.peer}\n${hop.client}`;
    hop.flight = { from: hop.server, to: hop.peer, left: hop.at, came: undefined, news: undefined };
    const queue = this.onTheirWay.get(key);
    if (queue) queue.push(hop.flight);
    else this.onTheirWay.set(key, [hop.flight]);
  }

  /// A link keeps the order of what is said over it: the first that left is the first that comes.
  arrive(hop) {
    const key = `${hop.peer}\n${hop.server}\n${hop.client}`;
    const queue = this.onTheirWay.get(key);
    const flight = queue?.shift();
    if (queue?.length === 0) this.onTheirWay.delete(key);
    hop.flight = flight ?? { from: hop.peer, to: hop.server, left: hop.at, came: undefined };
    hop.flight.came = hop.at;
    hop.flight.news = hop.news;
  }
}

/// The place of the last hop that is not after `now`; -1 before the first.
export function lastUntil(hops, now) {
  let [low, high] = [0, hops.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (hops[middle].at <= now) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/// What is on its way at `now`, and what came within the `fade` before it.
export function scene(hops, now, fade) {
  const last = lastUntil(hops, now);
  const flying = [];
  const come = [];
  for (let place = last; place >= 0 && place > last - BACK_MAX; place--) {
    const { flight, kind } = hops[place];
    if (kind === "told" && isFlying(flight, now)) flying.push({ flight, part: partOf(flight, now) });
    if (kind === "heard" && flight && now - flight.came < fade) come.push({ flight, age: (now - flight.came) / fade });
  }
  return { last, flying, come };
}

const isFlying = ({ left, came }, now) => now < (came ?? left + LOST_US);

/// How far it is; nobody knows of one that has not come yet, so it goes ever slower.
function partOf({ left, came }, now) {
  const gone = now - left;
  return came === undefined ? 0.7 * (gone / (gone + LOST_US / 10)) : gone / (came - left);
}

/// Where the flood began that the hop at `place` belongs to.
export function beginning(hops, place) {
  const { client } = hops[place] ?? {};
  for (let back = place; back >= 0 && back > place - BACK_MAX; back--) {
    const { kind, peer, client: of } = hops[back];
    if (kind === "heard" && !peer && of === client) return back;
  }
  return Math.max(0, place);
}

/// The servers that knew what this flood tells, after the hop at `place`.
export function knowing(hops, place) {
  const known = new Set();
  if (!hops[place]) return known;
  const { client } = hops[place];
  for (const hop of hops.slice(beginning(hops, place), place + 1)) {
    if (hop.kind === "heard" && hop.client === client && hop.news === "new") known.add(hop.server);
  }
  return known;
}

let second = "";
let secondUs = 0;

/// RFC 3339 with six digits, as the herd writes it. Most events are of the same second as the one before.
export function microseconds(text) {
  const start = text.slice(0, 19);
  if (start !== second) [second, secondUs] = [start, Date.parse(`${start}Z`) * 1000];
  return secondUs + Number(text.slice(20, 26));
}
