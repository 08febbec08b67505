//! Clients that move: their lines, a burst at a time, for the benches of the core.

/// Clients of which each has one line, which ends with ten digits of seconds.
pub struct Crowd {
    lines: Vec<Vec<u8>>,
    seconds: u64,
    /// The lines of a burst.
    burst: Vec<Vec<u8>>,
    next: usize,
}

impl Crowd {
    pub fn new(verb: &str, clients: usize) -> Self {
        let line = |client| format!("{verb}phone{client:08}.example +34.068930-118.445127 1621464827").into_bytes();
        Self { lines: (0..clients).map(line).collect(), seconds: 1_621_464_827, burst: Vec::new(), next: 0 }
    }

    pub fn all(&self) -> impl Iterator<Item = &[u8]> {
        self.lines.iter().map(Vec::as_slice)
    }

    /// The next clients, as they last were.
    pub fn some(&mut self, count: usize) -> &[Vec<u8>] {
        self.burst.clear();
        for _ in 0..count {
            self.burst.push(self.lines[self.next].clone());
            // Far apart, so that each is a new place in memory; prime to the size of any crowd here.
            self.next = (self.next + 7_919) % self.lines.len();
        }
        &self.burst
    }

    /// The next clients, a second later than anybody so far.
    pub fn move_some(&mut self, count: usize) -> &[Vec<u8>] {
        self.seconds += 1;
        let (time, mut client) = (self.seconds.to_string(), self.next);
        for _ in 0..count {
            let line = &mut self.lines[client];
            let end = line.len() - time.len();
            line[end..].copy_from_slice(time.as_bytes());
            client = (client + 7_919) % self.lines.len();
        }
        self.some(count)
    }
}
