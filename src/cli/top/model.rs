//! What `top` shows, and what becomes of it with each thing that comes in. Pure: no terminal, no herd, no clock; the
//! time is an argument.

use std::time::{Duration, Instant};

use ratatui::crossterm::event::KeyEvent;

use super::clients::Clients;
use super::keys::{Wish, wish};
use super::meters::{Meters, Reading};
use super::roll::Roll;
use crate::cli::escape;
use crate::herd::api::{LinkStatus, Ps, ServerStatus, State, Whereis};

/// What an order did is shown for so long, or until the next key.
const SAID_FOR: Duration = Duration::from_secs(8);
/// The map is magnified at most so often by two.
const ZOOM_MAX: u8 = 8;

/// What comes in.
#[derive(Debug)]
pub enum Input {
    Key(KeyEvent),
    /// The terminal has another size.
    Resized,
    Look(Box<Ps>, Reading),
    /// Where the clients are.
    Clients(Whereis),
    /// Painted lines.
    Events(Vec<String>),
    Log(Vec<String>),
    /// What became of an order: a painted line.
    Done(String),
    /// The herd does not answer; why, in words. None: it is not there.
    Lost(Option<String>),
    /// A second has passed.
    Tick,
    /// Somebody asked the process to end.
    Leave,
    /// A part of the program has ended that should not have.
    Broken,
}

/// What is to be done about it outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    None,
    Leave,
    Broken,
    Do(Act),
    Hops(bool),
}

/// An order that a key gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    pub verb: Verb,
    /// A server, or the two ends of a link, or nothing.
    pub names: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Kill,
    Start,
    Restart,
    /// Resumes what is paused.
    Pause,
    Resume,
    Cut,
    Heal,
    HealAll,
}

/// The panes, by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Focus {
    Servers,
    Links,
    Map,
    Topology,
    Latency,
    Events,
    Log,
}

/// How the herd is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contact {
    Fine,
    Gone,
    Trouble(String),
}

#[derive(Debug)]
pub struct Model {
    /// The herd.toml, as a person writes it.
    pub name: String,
    pub ps: Option<Ps>,
    pub contact: Contact,
    pub meters: Meters,
    pub clients: Clients,
    pub events: Roll,
    pub log: Roll,
    /// The chosen rows.
    pub server: usize,
    pub link: usize,
    pub focus: Focus,
    /// Which of the panes that share a place is shown where there is no room for all.
    pub picture: Focus,
    pub tail: Focus,
    pub whole: bool,
    pub help: bool,
    pub zoom: u8,
    pub hops: bool,
    /// Whether an order is asked about first.
    pub asks: bool,
    /// The order that is asked about.
    pub asked: Option<Act>,
    /// What an order did, until when it is shown.
    pub said: Option<(String, Instant)>,
}

impl Model {
    pub fn new(name: String, asks: bool) -> Self {
        Self {
            name,
            ps: None,
            contact: Contact::Fine,
            meters: Meters::default(),
            clients: Clients::default(),
            events: Roll::default(),
            log: Roll::default(),
            server: 0,
            link: 0,
            focus: Focus::Servers,
            picture: Focus::Map,
            tail: Focus::Events,
            whole: false,
            help: false,
            zoom: 0,
            hops: false,
            asks,
            asked: None,
            said: None,
        }
    }

    /// Takes in what has come, and says what is to be done about it.
    pub fn update(&mut self, input: Input, now: Instant) -> Effect {
        if self.said.as_ref().is_some_and(|(_, until)| now >= *until) {
            self.said = None;
        }
        match input {
            Input::Key(key) => return self.press(key),
            Input::Leave => return Effect::Leave,
            Input::Broken => return Effect::Broken,
            Input::Look(ps, reading) => self.see(*ps, reading, now),
            Input::Clients(whereis) => self.clients = Clients::of(&whereis),
            Input::Events(lines) => self.events.push(lines),
            Input::Log(lines) => self.log.push(lines),
            Input::Done(said) => self.said = Some((said, now + SAID_FOR)),
            Input::Lost(why) => self.contact = why.map_or(Contact::Gone, Contact::Trouble),
            Input::Resized | Input::Tick => {}
        }
        Effect::None
    }

    fn see(&mut self, ps: Ps, reading: Reading, now: Instant) {
        self.contact = Contact::Fine;
        self.meters.add(reading, now);
        self.server = self.server.min(ps.servers.len().saturating_sub(1));
        self.link = self.link.min(ps.links.len().saturating_sub(1));
        self.ps = Some(ps);
    }

    fn press(&mut self, key: KeyEvent) -> Effect {
        self.said = None;
        let wish = wish(key);
        if let Some(act) = self.asked.take() {
            return match wish {
                Some(Wish::Yes) => Effect::Do(act),
                Some(Wish::Leave) => Effect::Leave,
                _ => Effect::None,
            };
        }
        if self.help {
            self.help = false;
            return if wish == Some(Wish::Leave) { Effect::Leave } else { Effect::None };
        }
        wish.map_or(Effect::None, |wish| self.grant(wish))
    }

    fn grant(&mut self, wish: Wish) -> Effect {
        match wish {
            Wish::Leave => return Effect::Leave,
            Wish::Back if !self.whole => return Effect::Leave,
            Wish::Back => self.whole = false,
            Wish::Yes => {}
            Wish::Help => self.help = true,
            Wish::Move(by) => self.step(by),
            Wish::Page(pages) => self.page(pages),
            Wish::Start => self.home(),
            Wish::End => self.end(),
            Wish::Next => self.turn(false),
            Wish::Before => self.turn(true),
            Wish::Focus(pane) => self.look_at(pane),
            Wish::Whole => self.whole = !self.whole,
            Wish::Do(verb) => return self.order(verb),
            Wish::Asking => self.asks = !self.asks,
            Wish::Hops => {
                self.hops = !self.hops;
                return Effect::Hops(self.hops);
            }
            Wish::Zoom(by) => self.zoom = self.zoom.saturating_add_signed(by).min(ZOOM_MAX),
        }
        Effect::None
    }

    /// Gives an order, or asks about it first.
    fn order(&mut self, verb: Verb) -> Effect {
        match self.act(verb) {
            Some(act) if self.asks => self.asked = Some(act),
            Some(act) => return Effect::Do(act),
            None => {}
        }
        Effect::None
    }

    fn act(&self, verb: Verb) -> Option<Act> {
        let server = || self.chosen_server().map(|server| vec![server.name.clone()]);
        let link = || self.chosen_link().map(|link| vec![link.from.clone(), link.to.clone()]);
        let names = match verb {
            Verb::Kill | Verb::Start | Verb::Restart | Verb::Pause | Verb::Resume => server()?,
            Verb::Heal if self.focus == Focus::Servers => server()?,
            Verb::Cut | Verb::Heal => link()?,
            Verb::HealAll => Vec::new(),
        };
        let is_paused = self.chosen_server().is_some_and(|server| server.state == State::Paused);
        let verb = if verb == Verb::Pause && is_paused { Verb::Resume } else { verb };
        Some(Act { verb, names })
    }

    pub fn chosen_server(&self) -> Option<&ServerStatus> {
        self.ps.as_ref()?.servers.get(self.server)
    }

    pub fn chosen_link(&self) -> Option<&LinkStatus> {
        self.ps.as_ref()?.links.get(self.link)
    }

    /// The lines that the focus scrolls, if it does.
    fn roll(&mut self) -> Option<&mut Roll> {
        match self.focus {
            Focus::Events => Some(&mut self.events),
            Focus::Log => Some(&mut self.log),
            _ => None,
        }
    }

    fn step(&mut self, by: i64) {
        match self.roll() {
            Some(roll) => roll.scroll(by),
            None => self.choose(|row| row.saturating_add_signed(isize::try_from(by).unwrap_or(0))),
        }
    }

    fn page(&mut self, pages: i64) {
        const ROWS: i64 = 10;
        match self.roll() {
            Some(roll) => roll.page(pages),
            None => self.step(pages * ROWS),
        }
    }

    fn home(&mut self) {
        match self.roll() {
            Some(roll) => roll.home(),
            None => self.choose(|_| 0),
        }
    }

    fn end(&mut self) {
        match self.roll() {
            Some(roll) => roll.follow(),
            None => self.choose(|_| usize::MAX),
        }
    }

    /// Chooses another server, or with the focus there another link.
    fn choose(&mut self, row: impl Fn(usize) -> usize) {
        let Some(ps) = &self.ps else { return };
        let (chosen, rows) = match self.focus {
            Focus::Links => (&mut self.link, ps.links.len()),
            _ => (&mut self.server, ps.servers.len()),
        };
        *chosen = row(*chosen).min(rows.saturating_sub(1));
    }

    fn turn(&mut self, is_back: bool) {
        let all = Focus::ALL;
        let next = if is_back { self.focus as usize + all.len() - 1 } else { self.focus as usize + 1 };
        self.look_at(all[next % all.len()]);
    }

    fn look_at(&mut self, pane: Focus) {
        self.focus = pane;
        match pane {
            Focus::Map | Focus::Topology | Focus::Latency => self.picture = pane,
            Focus::Events | Focus::Log => self.tail = pane,
            Focus::Servers | Focus::Links => {}
        }
    }
}

impl Focus {
    pub const ALL: [Self; 7] =
        [Self::Servers, Self::Links, Self::Map, Self::Topology, Self::Latency, Self::Events, Self::Log];

    pub fn title(self) -> &'static str {
        match self {
            Self::Servers => "1 servers",
            Self::Links => "2 links",
            Self::Map => "3 map",
            Self::Topology => "4 topology",
            Self::Latency => "5 latency",
            Self::Events => "6 events",
            Self::Log => "7 log",
        }
    }
}

impl Act {
    /// The command that does the same.
    pub fn command(&self) -> String {
        let verb = match self.verb {
            Verb::Kill => "kill",
            Verb::Start => "start",
            Verb::Restart => "restart",
            Verb::Pause => "pause",
            Verb::Resume => "resume",
            Verb::Cut => "cut",
            Verb::Heal => "heal",
            Verb::HealAll => "heal --all",
        };
        let names = self.names.iter().map(|name| format!(" {}", escape::text(name)));
        format!("herdctl {verb}{}", names.collect::<String>())
    }
}
