//! What will happen in one world: a herd, a weather and a list of acts, all drawn from the seed beforehand.

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
    /// Ascending in time.
    pub acts: Vec<(Millis, Act)>,
    /// Nothing fails: then the lines can be counted.
    pub calm: bool,
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
    /// `HEARD` and marks are said at once, or when the link next writes.
    pub prompt: bool,
    /// Hellos are proven. That is slow in a debug build and decides nothing after it, so few worlds do it.
    pub proofs: bool,
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
    },
    /// A new run with an empty atlas.
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
    /// The connection is broken, and no other can be made.
    Cut {
        link: usize,
    },
    /// Nothing comes through, and nobody is told so.
    Hold {
        link: usize,
    },
    /// In one direction, reports are lost and said twice.
    Spoil {
        link: usize,
        to: usize,
        fault: Fault,
    },
    /// The link is as if nothing had been.
    Heal {
        link: usize,
    },
}

/// What happens to reports in one direction of a link.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fault {
    pub loss_percent: u64,
    pub dup_percent: u64,
}

impl Plan {
    pub fn draw(rng: &mut Rng) -> Self {
        let (servers, links) = draw_graph(rng);
        let calm = rng.percent(15);
        let end = rng.between(1_000, 8_000);
        let mut plan = Self { servers, links, weather: draw_weather(rng), acts: Vec::new(), calm, end };
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
        match rng.below(if self.calm { 65 } else { 100 }) {
            0..55 => {
                let line = format!("IAMAT {client} {} {}", draw_location(rng), draw_time(at, rng));
                let times = if rng.percent(10) { 2 } else { 1 };
                (0..times).for_each(|_| self.acts.push((at, Act::Say { server, line: line.clone() })));
            }
            55..65 => self.acts.push((at, Act::Ask { server, client })),
            65..73 => self.fail(at, 3_000, Act::Kill { server }, Act::Start { server }, rng),
            73..78 => self.fail(at, 5_000, Act::Pause { server }, Act::Resume { server }, rng),
            kind if !self.links.is_empty() => {
                let link = rng.index(self.links.len());
                let fault = Fault { loss_percent: *rng.pick(&[0, 20, 50, 90]), dup_percent: *rng.pick(&[0, 20, 60]) };
                let act = match kind {
                    78..84 => Act::Cut { link },
                    84..89 => Act::Hold { link },
                    _ => Act::Spoil { link, to: rng.index(2), fault },
                };
                self.fail(at, 4_000, act, Act::Heal { link }, rng);
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
        prompt: rng.percent(50),
        proofs: rng.percent(10),
    }
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
