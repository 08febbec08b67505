// What can be done to a server, a link or the herd: by button, by right click, by key; and the command that does the
// same, to be learnt from.

import { button, byId, element, plain, say } from "./elements.js";
import { isReadOnly, order } from "./herd.js";

const server = (verb, key) => ({
  label: verb,
  key,
  act: ({ server: name }) => order(`/v1/${verb}`, { servers: [name] }),
  command: ({ server: name }) => `herdctl ${verb} ${quoted(name)}`,
});

const link = (label, key, wrong, words) => ({
  label,
  key,
  act: ({ link: [from, to] }) => order("/v1/fault", { from, to, ...wrong }),
  command: ({ link: [from, to] }) => words.replace("A B", `${quoted(from)} ${quoted(to)}`),
});

const heal = {
  label: "heal",
  key: "x",
  act: (thing) => order("/v1/heal", { servers: thing.link ?? [thing.server] }),
  command: (thing) => `herdctl heal ${(thing.link ?? [thing.server]).map(quoted).join(" ")}`,
};

const isolate = {
  label: "isolate",
  act: ({ server: name }) => order("/v1/partition", { isolate: name }),
  command: ({ server: name }) => `herdctl partition --isolate ${quoted(name)}`,
};

const OF_SERVER = [
  server("kill", "k"), server("stop"), server("start", "s"), server("restart", "r"), server("pause", "p"),
  server("resume", "p"), isolate, heal,
];

const OF_LINK = [
  link("cut", "c", { kind: "cut" }, "herdctl cut A B"),
  link("cut silently", undefined, { kind: "cut", silent: true }, "herdctl cut A B --silent"),
  link("delay 250 ms", undefined, { kind: "delay", delay_ms: 250 }, "herdctl delay A B 250ms"),
  link("lose 20 %", undefined, { kind: "loss", percent: 20 }, "herdctl loss A B 20%"),
  heal,
];

const OF_HERD = [
  { label: "heal all", key: "h", act: () => order("/v1/heal", { all: true }), command: () => "herdctl heal --all" },
  { label: "start all", act: () => order("/v1/start", { all: true }), command: () => "herdctl start --all" },
];

const HINT = "Choose a server or a link: click, Tab, or right click.";

/// In which states of a server something makes sense.
const FITS = {
  kill: ["running", "paused", "starting", "stopping"], stop: ["running"], restart: ["running"], pause: ["running"],
  resume: ["paused"], start: ["killed", "stopped", "crashed", "failed"],
};

export class Actions {
  constructor({ onDone }) {
    this.onDone = onDone;
    this.chosen = undefined;
    this.shown = "";
    this.menu = byId("menu");
    byId("copy").addEventListener("click", copyCommand);
    document.addEventListener("pointerdown", (event) => this.menu.contains(event.target) || this.closeMenu());
    this.menu.addEventListener("keydown", (event) => this.menuKey(event));
  }

  choose(thing) {
    this.chosen = thing;
  }

  /// The buttons for what is chosen, and for the herd.
  draw(ps) {
    this.ps = ps;
    const thing = this.chosen;
    const now = JSON.stringify([thing, thing && fitting(thing, ps).map((deed) => deed.label)]);
    if (now === this.shown) return;
    this.shown = now;
    const had = document.activeElement?.dataset.deed;
    byId("orders").replaceChildren(thing ? this.row(titleOf(thing), thing, fitting(thing, ps)) : element("p", {}, HINT),
      this.row("the herd", {}, OF_HERD));
    if (had) byId("orders").querySelector(`[data-deed="${had}"]`)?.focus();
  }

  row(title, thing, deeds) {
    const buttons = deeds.map((deed) => this.deedButton(deed, thing));
    return element("div", { class: "row" }, element("strong", {}, title), ...buttons);
  }

  deedButton(deed, thing, attributes = {}) {
    const label = deed.key ? `${deed.label} (${deed.key})` : deed.label;
    return button(label, () => this.do(deed, thing), {
      "data-deed": deed.label,
      title: deed.command(thing),
      "aria-keyshortcuts": deed.key,
      disabled: isReadOnly(),
      ...attributes,
    });
  }

  /// A key that was pressed anywhere; says whether it meant something.
  key(pressed) {
    const thing = this.chosen;
    const deed = (thing ? fitting(thing, this.ps) : []).find((deed) => deed.key === pressed);
    if (deed) this.do(deed, thing);
    const ofHerd = OF_HERD.find((deed) => deed.key === pressed);
    if (ofHerd) this.do(ofHerd, {});
    return Boolean(deed ?? ofHerd);
  }

  async do(deed, thing) {
    this.closeMenu();
    const command = deed.command(thing);
    say(byId("command"), command);
    say(byId("outcome"), `${deed.label} …`);
    try {
      const done = await deed.act(thing);
      say(byId("outcome"), done.changed ? `✓ ${plain(command)}` : `already so: ${plain(command)}`);
    } catch (why) {
      say(byId("outcome"), `✕ ${plain(why.message)}`);
    }
    this.onDone();
  }

  openMenu(thing, x, y) {
    this.from = document.activeElement;
    const deeds = fitting(thing, this.ps).map((deed) => this.deedButton(deed, thing, { role: "menuitem" }));
    this.menu.replaceChildren(...deeds);
    this.menu.hidden = false;
    this.menu.style.left = `${Math.min(x, innerWidth - this.menu.offsetWidth - 8)}px`;
    this.menu.style.top = `${Math.min(y, innerHeight - this.menu.offsetHeight - 8)}px`;
    deeds[0]?.focus();
  }

  closeMenu() {
    if (this.menu.hidden) return;
    this.menu.hidden = true;
    this.from?.focus();
  }

  menuKey(event) {
    const items = [...this.menu.children];
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape" || event.key === "Tab") this.closeMenu();
    else if (step) items.at((items.indexOf(document.activeElement) + step) % items.length)?.focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

/// What can be done to this as it is now.
function fitting(thing, ps) {
  if (thing.link) return OF_LINK;
  const state = ps?.servers.find((known) => known.name === thing.server)?.state;
  return OF_SERVER.filter((deed) => FITS[deed.label]?.includes(state) ?? true);
}

const titleOf = (thing) => plain(thing.server ?? thing.link.join(" – "));

async function copyCommand() {
  const text = byId("command").textContent;
  try {
    await navigator.clipboard.writeText(text);
    say(byId("outcome"), "copied");
  } catch {
    getSelection().selectAllChildren(byId("command"));
    say(byId("outcome"), "marked: copy it with Ctrl-C");
  }
}

/// A word that a shell takes as one, whatever is in it.
function quoted(word) {
  return /^[\w.,:@+-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
