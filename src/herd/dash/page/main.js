// The page: it looks at the herd whenever something has happened, and hands each part what is its own.

import { Actions } from "./actions.js";
import { byId, plain, say } from "./elements.js";
import { Hops } from "./flood.js";
import { Stream, Refusal, ask, hasToken, isReadOnly, takeToken } from "./herd.js";
import { EventList, Log } from "./lists.js";
import { ClientMap } from "./map.js";
import { Player } from "./player.js";
import { Topology, linkKey } from "./topology.js";
import { Track } from "./track.js";

/// With nothing happening the herd is looked at so often; …
const LOOK_EVERY_MS = 1000;
/// … with ever so much happening, not more often than this.
const LOOK_PAUSE_MS = 40;

/// What a frame makes up for at most: a page that was not seen does not jump.
const FRAME_MS_MAX = 100;

const CONTACTS = {
  live: "● live",
  connecting: "○ connecting",
  disconnected: "✕ disconnected: trying again",
  refused: "✕ another herd has come up: herdctl dash --open",
  paused: "‖ paused while nobody looks",
};

class Page {
  constructor() {
    this.topology = new Topology(byId("graph"), {
      onChoose: (thing) => this.choose(thing),
      onMenu: (thing, x, y) => this.actions.openMenu(thing, x, y),
    });
    this.actions = new Actions({ onDone: () => this.look() });
    this.hops = new Hops();
    this.player = new Player(byId("player"), this.topology, this.hops);
    this.track = new Track(byId("track-body"), this.hops, { onFollow: (client) => this.player.follow(client) });
    this.map = new ClientMap(byId("map"), { onChoose: (client) => this.track.choose(client) });
    this.events = new EventList();
    this.log = new Log();
    this.stream = new Stream({
      onBatch: (events, isNewRun) => this.take(events, isNewRun),
      onContact: (contact) => this.meet(contact),
    });
    setInterval(() => document.hidden || this.look(), LOOK_EVERY_MS);
    listenToKeys(this);
    this.frame();
  }

  choose(thing) {
    this.actions.choose(thing);
    this.draw();
  }

  meet(contact) {
    byId("contact").dataset.contact = contact;
    say(byId("contact"), CONTACTS[contact]);
    document.body.classList.toggle("stale", contact === "disconnected" || contact === "refused");
    if (contact === "live") this.look();
  }

  take(events, isNewRun) {
    if (isNewRun) this.hops.forget();
    this.hops.take(events);
    this.player.take(events);
    this.events.take(events);
    if (events.some((event) => !event.kind.startsWith("flood."))) this.look();
  }

  /// Looks at the herd, once at a time: who asks meanwhile is served by one more look.
  async look() {
    if (this.isLooking) return (this.looksAgain = true);
    this.isLooking = true;
    do {
      this.looksAgain = false;
      try {
        this.ps = await ask("/v1/ps");
        this.draw();
      } catch (why) {
        if (why instanceof Refusal && why.status === 401) this.meet("refused");
      }
      await new Promise((done) => setTimeout(done, LOOK_PAUSE_MS));
    } while (this.looksAgain);
    this.isLooking = false;
  }

  draw() {
    if (!this.ps) return;
    const { chosen } = this.actions;
    this.topology.draw(this.ps, chosen && (chosen.server ?? linkKey({ from: chosen.link[0], to: chosen.link[1] })));
    this.actions.draw(this.ps);
    this.log.draw(this.ps);
    this.drawClients();
    say(byId("name"), plain(this.ps.herd));
    say(byId("summary"), summaryWords(this.ps.summary));
    document.title = `${plain(this.ps.herd)}: ${this.ps.summary.running}/${this.ps.summary.servers} running`;
  }

  async drawClients() {
    await this.map.look(this.ps);
    this.track.offer(this.map.clients);
    await this.track.look();
  }

  /// What may change with every frame.
  frame(now = 0) {
    this.player.frame(Math.min(now - (this.drawnAt ?? now), FRAME_MS_MAX));
    this.drawnAt = now;
    this.events.draw();
    requestAnimationFrame((then) => this.frame(then));
  }
}

function summaryWords({ servers, running, paused, down, links, links_up: up, faults, islands, converged }) {
  const words = [`${running}/${servers} running`, paused && `${paused} paused`, down && `${down} down`,
    `${up}/${links} links up`, faults && `${faults} ${faults === 1 ? "fault" : "faults"}`,
    `${islands} ${islands === 1 ? "island" : "islands"}`, converged ? "converged" : "not converged"];
  return words.filter(Boolean).join(" · ");
}

function listenToKeys(page) {
  const help = byId("help");
  byId("help-open").addEventListener("click", () => help.showModal());
  byId("help-close").addEventListener("click", () => help.close());
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.closest("input, select, dialog, [role=menu]");
    const isPressing = event.key === " " && event.target.closest("button");
    if (isTyping || isPressing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "?") help.showModal();
    else if (!page.player.key(event.key) && !page.actions.key(event.key)) return;
    event.preventDefault();
  });
}

function notice(text) {
  byId("notice").textContent = text;
  byId("notice").hidden = false;
}

// Another address of the page, put in over this one, loads nothing by itself.
addEventListener("hashchange", takeToken);

if (takeToken()) {
  // The page is loading anew, without the token in its address.
} else if (hasToken()) {
  document.querySelector("main").hidden = false;
  if (isReadOnly()) notice("This address lets you look, and change nothing.");
  window.page = new Page();
} else {
  say(byId("contact"), "✕ no token");
  notice("This page needs the token of its herd. It is never typed: run herdctl dash --open.");
}
