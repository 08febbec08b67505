// Floods on the topology: live, or as slow as one likes, forwards and backwards, hop by hop.

import { button, element, plain, say, set, shape, wantsNoMotion } from "./elements.js";
import { beginning, knowing, lastUntil, scene } from "./flood.js";

const SPEEDS = [
  { label: "live", slower: 0 }, { label: "1/10", slower: 10 }, { label: "1/100", slower: 100 },
  { label: "1/1,000", slower: 1000 }, { label: "1/10,000", slower: 10_000 },
];
/// What is live takes so long to be seen, however fast it was.
const SEEN_MS = 350;
const FADE_MS = 450;
/// With more than this on their way, some are not drawn.
const SPRITES_MAX = 120;
/// Where what a server drops is seen to be dropped: just before it.
const DOOR = 0.86;

export class Player {
  constructor(home, topology, hops) {
    this.topology = topology;
    this.hops = hops;
    this.seen = hops.all;
    this.client = undefined;
    this.slower = 0;
    this.isPlaying = true;
    this.now = 0;
    this.live = [];
    this.sprites = new Sprites(topology.dots);
    home.append(this.speeds(), this.timeline(), this.caption);
    this.setSpeed(0);
  }

  speeds() {
    this.speedButtons = SPEEDS.map(({ label, slower }, key) =>
      button(label, () => this.setSpeed(slower), { "data-slower": slower, "aria-keyshortcuts": key }));
    const replay = button("replay the last flood (f)", () => this.replay(), { "aria-keyshortcuts": "f" });
    return element("div", { class: "row", role: "group", "aria-label": "Speed" }, ...this.speedButtons, replay);
  }

  timeline() {
    this.playButton = button("pause", () => this.toggle(), { "aria-keyshortcuts": "Space", id: "play" });
    this.slider = element("input", { type: "range", min: 0, max: 0, value: 0, "aria-label": "Hop", id: "scrub" });
    this.slider.addEventListener("input", () => this.goTo(Number(this.slider.value)));
    this.caption = element("p", { id: "hop", role: "status" });
    const back = button("◀", () => this.step(-1), { "aria-label": "one hop back", "aria-keyshortcuts": "," });
    const on = button("▶", () => this.step(1), { "aria-label": "one hop on", "aria-keyshortcuts": "." });
    return element("div", { class: "row timeline" }, back, this.playButton, on, this.slider);
  }

  /// A key that was pressed anywhere; says whether it meant something.
  key(pressed) {
    const deed = { " ": () => this.toggle(), ",": () => this.step(-1), ".": () => this.step(1), f: () => this.replay() };
    const speed = SPEEDS[pressed];
    if (speed) this.setSpeed(speed.slower);
    else deed[pressed]?.();
    return Boolean(speed ?? deed[pressed]);
  }

  take(events) {
    this.filter();
    if (!this.isLive()) return;
    const shownAt = performance.now();
    for (const hop of this.seen.slice(-Math.min(events.length, SPRITES_MAX))) {
      if (hop.kind === "told" && hop.seq >= events[0].seq) this.live.push({ flight: hop.flight, shownAt });
    }
    this.live = this.live.slice(-SPRITES_MAX);
  }

  /// Shows the hops of one client only, or of all.
  follow(client) {
    this.client = client;
    this.filter();
    this.draw();
  }

  filter() {
    const isOurs = (hop) => hop.client === this.client || hop.kind === "gap";
    this.seen = this.client === undefined ? this.hops.all : this.hops.all.filter(isOurs);
  }

  isLive() {
    return this.slower === 0 && this.isPlaying;
  }

  setSpeed(slower) {
    if (this.isLive()) this.now = this.seen.at(-1)?.at ?? 0;
    this.slower = slower;
    this.isPlaying = true;
    this.live = [];
    this.show();
  }

  toggle() {
    if (this.isLive()) this.now = this.seen.at(-1)?.at ?? 0;
    this.isPlaying = !this.isPlaying;
    this.show();
  }

  step(by) {
    this.goTo((this.isLive() ? this.seen.length - 1 : lastUntil(this.seen, this.now)) + by);
  }

  goTo(place) {
    this.isPlaying = false;
    this.now = this.seen[Math.min(Math.max(place, 0), this.seen.length - 1)]?.at ?? 0;
    this.show();
    this.draw();
  }

  replay() {
    const place = this.seen.findLastIndex((hop) => hop.kind === "heard" && !hop.peer);
    if (place < 0) return say(this.caption, "no flood yet: herdctl iamat kiwi +34.07-118.45");
    if (this.slower === 0) this.slower = 1000;
    this.now = this.seen[place].at;
    this.isPlaying = true;
    this.show();
  }

  /// The buttons as they stand.
  show() {
    for (const one of this.speedButtons) set(one, { "aria-pressed": String(Number(one.dataset.slower) === this.slower) });
    say(this.playButton, this.isPlaying ? "pause" : "play");
  }

  /// Goes on by so much time of whoever looks, and draws.
  frame(ms) {
    if (this.isPlaying && this.slower > 0) this.advance((ms * 1000) / this.slower);
    this.draw();
  }

  /// Where nothing is on its way there is nothing to see: the next hop follows at once.
  advance(us) {
    const next = this.seen[lastUntil(this.seen, this.now) + 1];
    const { flying, come } = scene(this.seen, this.now, this.fade());
    if (next && flying.length === 0 && come.length === 0) this.now = Math.max(this.now, next.at - us);
    const end = this.seen.at(-1)?.at ?? 0;
    this.now = flying.length === 0 && !next ? Math.min(this.now + us, end + this.fade()) : this.now + us;
  }

  /// How long what came is still seen, in the herd's time.
  fade() {
    return (FADE_MS * 1000) / Math.max(this.slower, 1);
  }

  draw() {
    this.sprites.begin();
    const last = this.isLive() ? this.drawLive() : this.drawSlow();
    this.sprites.end();
    this.topology.mark(knowing(this.seen, last));
    set(this.slider, { max: Math.max(0, this.seen.length - 1) });
    if (document.activeElement !== this.slider || this.isPlaying) this.slider.value = last;
    say(this.caption, this.words(last));
  }

  drawLive() {
    const now = performance.now();
    this.live = this.live.filter(({ shownAt }) => now - shownAt < SEEN_MS + FADE_MS);
    for (const { flight, shownAt } of this.live) {
      const gone = (now - shownAt) / SEEN_MS;
      if (gone < 1) this.drawFlying(flight, gone);
      else this.drawCome(flight, (now - shownAt - SEEN_MS) / FADE_MS);
    }
    return this.seen.length - 1;
  }

  drawSlow() {
    const { last, flying, come } = scene(this.seen, this.now, this.fade());
    for (const { flight, part } of flying) this.drawFlying(flight, part);
    for (const { flight, age } of come) this.drawCome(flight, this.isPlaying ? age : 0);
    return last;
  }

  drawFlying({ from, to }, part) {
    const place = this.topology.between(from, to, wantsNoMotion() ? 0.5 : part * DOOR);
    if (place) this.sprites.put("flying", place, 1, 1);
  }

  /// News goes into the server; what it knew already ends at its door.
  drawCome({ from, to, news }, age) {
    const isNews = news === "new";
    const place = this.topology.between(from, to, isNews ? 1 : DOOR);
    const size = wantsNoMotion() ? 1 : isNews ? 1 + age : 1 - age / 3;
    if (place && news) this.sprites.put(isNews ? "news" : "dropped", place, size, 1 - age);
  }

  words(last) {
    const hop = this.seen[last];
    if (!hop) return "no flood yet: say where a client is, with herdctl iamat";
    const since = Math.round(hop.at - this.seen[beginning(this.seen, last)].at);
    return `${hopWords(hop)} — hop ${last + 1} of ${this.seen.length}, #${hop.seq}, +${since.toLocaleString("en")} µs`;
  }
}

function hopWords({ kind, server, peer, client, news, answer, missed }) {
  if (kind === "gap") return `${missed ?? "some"} events are missing here`;
  const [who, other, whom] = [server, peer, client].map((name) => plain(name ?? "a client"));
  if (kind === "told") return `${who} tells ${other} of ${whom}`;
  if (kind === "answered") return `${who} answers ${whom} (${answer})`;
  const fate = { new: "new", known: "known already, dropped", stale: "older than what it knows, dropped" }[news];
  return peer ? `${who} hears of ${whom} from ${other}: ${fate}` : `${whom} tells ${who} where it is: ${fate}`;
}

/// Marks that are used again with every frame.
class Sprites {
  constructor(home) {
    this.home = home;
    this.made = [];
    this.used = 0;
  }

  begin() {
    this.used = 0;
  }

  put(kind, { x, y }, size, opacity) {
    if (this.used === SPRITES_MAX) return;
    const sprite = this.made[this.used] ?? this.make();
    this.used++;
    set(sprite, { class: `sprite ${kind}`, transform: `translate(${x} ${y}) scale(${size})`, opacity });
  }

  make() {
    const cross = shape("path", { class: "cross", d: "M-6 -6 L6 6 M6 -6 L-6 6" });
    const sprite = shape("g", {}, shape("circle", { class: "dot", r: 7 }), shape("circle", { class: "ring", r: 24 }), cross);
    this.made.push(this.home.appendChild(sprite));
    return sprite;
  }

  end() {
    for (const sprite of this.made.slice(this.used)) set(sprite, { class: "sprite unused" });
  }
}
