//! What will happen in one world: a herd, a weather, a herd.toml and a list of acts, all drawn from the seed beforehand.

use std::time::Duration;

use herdctl::config::Ack;
use herdctl::server::fault::{Chance, Cut, Delay, Fault};

use super::rng::Rng;

/// Milliseconds of a world's own clock.
pub type Millis = u64;

/// No server stands twice in the list, and there are never more servers than names.
pub const NAMES: [&str; 8] = ["Bailey", "Bona", "Campbell", "Clark", "Jaquez", "Juzang", "Hill", "Kyman"];

pub struct Plan {
    /// How many of [`NAMES`] there are.
    pub servers: usize,
    /// Dialer and listener of each link.
    pub links: Vec<(usize, usize)>,
    pub weather: Weather,
    pub rules: Rules,
    /// Ascending in time.
    pub acts: Vec<(Millis, Act)>,
    /// Nothing fails: then the lines can be counted.
    pub calm: bool,
    /// So many of a hundred answers are the last thing that their server does.
    pub ambush_percent: u64,
    /// When everything is healed.
    pub end: Millis,
}

/// How a world is when nothing fails.
pub struct Weather {
    /// How long a line is on its way, at most.
    pub delay_max: Millis,
    /// How long a link takes before it writes what is owed, at most.
    pub turn_max: Millis,
    /// The size of a batch; small ones are cut often.
    pub batch_bytes_max: usize,
    /// ... and of one for the disk.
    pub store_bytes_max: usize,
    /// How long a commit takes, at most.
    pub commit_max: Millis,
    /// `HEARD` and marks are said at once, or when the link next writes.
    pub prompt: bool,
    /// Hellos are proven. That is slow in a debug build and decides nothing after it, so few worlds do it.
    pub proofs: bool,
}

/// What stands in the herd.toml of this herd.
pub struct Rules {
    pub ack: Ack,
    /// So many neighbours must have heard what is answered.
    pub heard: usize,
    /// After so many known reports in a row a neighbour is asked to hold back, if at all.
    pub hold_after: Option<u32>,
    /// Each server has an archive.
    pub archive: bool,
}

/// The small language of operations.
#[derive(Debug, Clone)]
pub enum Act {
    /// A client says an `IAMAT` to a server.
    Say {
        server: usize,
        line: String,
    },
    /// A client asks a server where another is.
    Ask {
        server: usize,
        client: String,
    },
    /// The memory is gone, and so is every connection.
    Kill {
        server: usize,
        death: Death,
    },
    /// A new run with what the archive held, or with an empty atlas.
    Start {
        server: usize,
    },
    /// Everything that comes waits in an inbox.
    Pause {
        server: usize,
    },
    Resume {
        server: usize,
    },
    /// Something is wrong with what comes to this end of a link, or to both ends.
    Strike {
        link: usize,
        to: Option<usize>,
        fault: Fault,
    },
    /// The link is as if nothing had been.
    Heal {
        link: usize,
    },
    /// Every link between these servers and the others is cut.
    Part {
        island: Vec<usize>,
        cut: Cut,
    },
    /// ... and is not cut any more.
    Reunite {
        island: Vec<usize>,
    },
    /// The disk of a server takes nothing.
    Fill {
        server: usize,
    },
    MakeRoom {
        server: usize,
    },
}

/// How a server dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Death {
    /// As a process does that gets SIGKILL: its kernel says the rest, and closes.
    Killed,
    /// Connections are reset, and what has not arrived is gone.
    PowerCut,
}

impl Plan {
    pub fn draw(rng: &mut Rng) -> Self {
        let (servers, links) = draw_graph(rng);
        let calm = rng.percent(15);
        let mut plan = Self {
            servers,
            links,
            weather: draw_weather(rng),
            rules: draw_rules(rng),
            acts: Vec::new(),
            calm,
            ambush_percent: if calm { 0 } else { *rng.pick(&[0, 0, 10, 30]) },
            end: rng.between(1_000, 8_000),
        };
        let clients = rng.between(1, 6);
        for _ in 0..rng.between(5, 30) {
            plan.draw_act(clients, rng);
        }
        plan.acts.sort_by_key(|&(at, _)| at);
        plan
    }

    fn draw_act(&mut self, clients: u64, rng: &mut Rng) {
        let at = rng.below(self.end);
        let server = rng.index(self.servers);
        let client = format!("c{}", rng.below(clients));
        match rng.below(if self.calm { 60 } else { 100 }) {
            0..10 => {
                // A crowd, some of whom say the same.
                let lines: Vec<String> = (0..clients).map(|nth| draw_iamat(&format!("c{nth}"), at, rng)).collect();
                let some = lines.iter().chain(&lines).filter(|_| rng.percent(60));
                self.acts.extend(some.map(|line| (at, Act::Say { server, line: line.clone() })));
            }
            10..50 => self.acts.push((at, Act::Say { server, line: draw_iamat(&client, at, rng) })),
            50..60 => self.acts.push((at, Act::Ask { server, client })),
            60..68 => {
                let death = draw_death(rng);
                self.fail(at, 3_000, Act::Kill { server, death }, Act::Start { server }, rng);
            }
            68..73 => self.fail(at, 5_000, Act::Pause { server }, Act::Resume { server }, rng),
            73..76 => self.fail(at, 3_000, Act::Fill { server }, Act::MakeRoom { server }, rng),
            76..80 => {
                let island: Vec<usize> = (0..self.servers).filter(|_| rng.percent(40)).collect();
                let cut = *rng.pick(&[Cut::Closed, Cut::Silent]);
                let reunite = Act::Reunite { island: island.clone() };
                self.fail(at, 4_000, Act::Part { island, cut }, reunite, rng);
            }
            _ if !self.links.is_empty() => {
                let link = rng.index(self.links.len());
                let (to, fault) = draw_fault(rng);
                self.fail(at, 4_000, Act::Strike { link, to, fault }, Act::Heal { link }, rng);
            }
            _ => {}
        }
    }

    /// A failure, mostly with its repair; what is not repaired here is at the end, or never (a kill).
    fn fail(&mut self, at: Millis, lasting_max: Millis, failure: Act, repair: Act, rng: &mut Rng) {
        self.acts.push((at, failure));
        let repaired = at + rng.between(1, lasting_max);
        if rng.percent(75) && repaired < self.end {
            self.acts.push((repaired, repair));
        }
    }
}

pub fn draw_death(rng: &mut Rng) -> Death {
    if rng.percent(40) { Death::PowerCut } else { Death::Killed }
}

fn draw_graph(rng: &mut Rng) -> (usize, Vec<(usize, usize)>) {
    if rng.percent(20) {
        // The default herd.
        return (5, vec![(3, 4), (3, 1), (2, 0), (2, 1), (2, 4), (1, 0)]);
    }
    let servers = 2 + rng.index(4) + rng.index(4);
    let mut links = Vec::new();
    // A tree of random shape; now and then without a branch, so that the herd is in pieces.
    for server in 1..servers {
        if !rng.percent(4) {
            links.push((rng.index(server), server));
        }
    }
    for _ in 0..rng.below(servers as u64) {
        let (one, other) = (rng.index(servers), rng.index(servers));
        if one != other && !links.contains(&(one, other)) && !links.contains(&(other, one)) {
            links.push((one, other));
        }
    }
    (servers, links)
}

fn draw_weather(rng: &mut Rng) -> Weather {
    Weather {
        delay_max: *rng.pick(&[1, 20, 200]),
        turn_max: *rng.pick(&[0, 5, 50]),
        batch_bytes_max: *rng.pick(&[1, 100, 300, 65_536]),
        store_bytes_max: *rng.pick(&[1, 200, 65_536]),
        commit_max: *rng.pick(&[1, 20, 400]),
        prompt: rng.percent(50),
        proofs: rng.percent(10),
    }
}

fn draw_rules(rng: &mut Rng) -> Rules {
    let archive = rng.percent(40);
    let ack = if archive && rng.percent(50) { Ack::Stored } else { Ack::Heard };
    Rules { ack, heard: *rng.pick(&[1, 1, 2, 2, 3]), hold_after: *rng.pick(&[None, Some(1), Some(3)]), archive }
}

/// What is wrong, and at which end of the link, if not at both.
fn draw_fault(rng: &mut Rng) -> (Option<usize>, Fault) {
    let to = if rng.percent(50) { Some(rng.index(2)) } else { None };
    let cut = |cut| Fault { cut: Some(cut), ..Fault::default() };
    match rng.below(10) {
        // A connection has no half that can be closed.
        0..2 => (None, cut(Cut::Closed)),
        2..4 => (to, cut(Cut::Silent)),
        _ => (to, draw_trouble(rng)),
    }
}

fn draw_trouble(rng: &mut Rng) -> Fault {
    let chance = |rng: &mut Rng, of: &[u32]| Chance { percent: f64::from(*rng.pick(of)), seed: rng.next() };
    let lossy = Fault {
        loss: chance(rng, &[0, 20, 40, 90]),
        dup: chance(rng, &[0, 20, 60]),
        reorder: chance(rng, &[0, 30, 80]),
        ..Fault::default()
    };
    if rng.percent(50) {
        return lossy;
    }
    let [by, jitter] = [[0, 50, 300, 1_500], [0, 0, 40, 400]].map(|of| Duration::from_millis(*rng.pick(&of)));
    let delay = Delay { by, jitter, seed: rng.next() };
    let slow = Fault { delay, throttle: *rng.pick(&[0, 0, 20, 200, 2_000]), ..Fault::default() };
    if rng.percent(50) { slow } else { Fault { delay: slow.delay, throttle: slow.throttle, ..lossy } }
}

fn draw_iamat(client: &str, at: Millis, rng: &mut Rng) -> String {
    format!("IAMAT {client} {} {}", draw_location(rng), draw_time(at, rng))
}

fn draw_location(rng: &mut Rng) -> String {
    format!("+{}.{}-{}", rng.below(90), rng.below(1_000), rng.below(180))
}

/// Times that move, that collide, that are the same in other words, that are far away.
fn draw_time(at: Millis, rng: &mut Rng) -> String {
    match rng.below(20) {
        0..9 => format!("{}.{:03}", 1_000 + at / 1_000, at % 1_000),
        9..19 => (*rng.pick(&["5", "5.0", "05.000000000", "5.000000001", "6", "6.0", "999.9"])).to_owned(),
        _ => (*rng.pick(&["0", "18446744073709551615.999999999", "1e3"])).to_owned(),
    }
}
