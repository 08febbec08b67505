// One client's way through the herd: which server knows what of it, who told it, and how much later.

import { element, plain, set } from "./elements.js";
import { beginning, knowing } from "./flood.js";
import { order } from "./herd.js";

const NAMES_MAX = 200;

export class Track {
  constructor(home, hops, { onFollow }) {
    this.hops = hops;
    this.onFollow = onFollow;
    this.client = undefined;
    this.names = element("datalist", { id: "client-names" });
    this.field = element("input", { type: "search", list: "client-names", placeholder: "client", "aria-label": "Client" });
    this.field.addEventListener("change", () => this.choose(this.field.value || undefined));
    this.body = element("tbody");
    const head = element("tr", {}, ...["server", "knows", "where", "told by", "after"].map(heading));
    const table = element("table", {}, element("thead", {}, head), this.body);
    home.append(element("label", {}, "of ", this.field), this.names, table);
  }

  choose(client) {
    this.client = client;
    this.field.value = client ?? "";
    this.body.replaceChildren();
    this.onFollow(client);
    this.look();
  }

  /// The names that can be chosen.
  offer(clients) {
    const names = clients.slice(0, NAMES_MAX).map(({ name }) => name);
    if (this.names.children.length === names.length && this.names.firstChild?.value === names[0]) return;
    this.names.replaceChildren(...names.map((name) => set(element("option"), { value: name })));
  }

  async look() {
    const { client } = this;
    if (client === undefined) return;
    const told = await order("/v1/whereis", { client }).catch(() => undefined);
    if (!told || client !== this.client) return;
    const ways = this.ways();
    const known = (told.clients[0]?.servers ?? []).map((knowledge) => row(knowledge, ways.get(knowledge.server)));
    const silent = told.silent.map(({ server, why }) => cells([server, "?", why, "", ""], server, "silent"));
    this.body.replaceChildren(...known, ...silent);
  }

  /// How the newest report came to each server, as far as it was seen.
  ways() {
    const hops = this.hops.all.filter((hop) => hop.client === this.client);
    const start = beginning(hops, hops.length - 1);
    const first = hops[start];
    const news = hops.slice(start).filter((hop) => hop.kind === "heard" && hop.news === "new");
    const isWhole = knowing(hops, hops.length - 1).size > 0;
    return new Map(isWhole ? news.map((hop) => [hop.server, { by: hop.peer, after: Math.round(hop.at - first.at) }]) : []);
  }
}

const heading = (text) => element("th", { scope: "col" }, text);

function row({ server, knows, location, said_to: saidTo }, way) {
  const by = way ? (way.by ?? "the client") : server === saidTo ? "the client" : "";
  const after = way ? `${way.after.toLocaleString("en")} µs` : "";
  return cells([server, { newest: "● newest", old: "◆ old", nothing: "○ nothing" }[knows], location, by, after], server, knows);
}

function cells(texts, server, knows) {
  const made = texts.map((text, nth) => element(nth === 0 ? "th" : "td", { scope: nth === 0 && "row" }, plain(text ?? "")));
  return element("tr", { "data-server": server, class: knows }, ...made);
}
