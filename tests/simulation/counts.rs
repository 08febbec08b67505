//! How often things happened: a simulation in which nothing happens proves nothing.

#[derive(Debug, Default, Clone, Copy)]
pub struct Counts {
    /// Things on the agenda.
    pub steps: u64,
    pub kills: u64,
    /// Links that went on where they had stopped.
    pub resumes: u64,
    pub reports_told: u64,
    pub batches_cut: u64,
    /// Reports.
    pub lost: u64,
    /// Reports.
    pub said_twice: u64,
    /// Batches with both.
    pub lost_and_said_twice: u64,
    pub gone_back: u64,
    /// Links called dead.
    pub silences: u64,
    /// Links whose old connection was still there.
    pub replaced: u64,
    /// Answers that a neighbour had heard.
    pub confirmed: u64,
    /// Answers that had waited long enough.
    pub unconfirmed: u64,
    /// Confirmed answers whose server was killed.
    pub outlived: u64,
}

impl Counts {
    pub fn add(&mut self, mut other: Self) {
        for (mine, theirs) in self.all().into_iter().zip(other.all()) {
            *mine += *theirs;
        }
    }

    /// Panics unless everything that a world can do to a herd has been done, and often.
    pub fn check_that_much_happened(&mut self, worlds: u64) {
        let counts = *self;
        assert!(self.all().into_iter().all(|count| *count >= worlds / 50), "in {worlds} worlds only {counts:#?}");
    }

    fn all(&mut self) -> [&mut u64; 14] {
        let Self {
            steps,
            kills,
            resumes,
            reports_told,
            batches_cut,
            lost,
            said_twice,
            lost_and_said_twice,
            gone_back,
            silences,
            replaced,
            confirmed,
            unconfirmed,
            outlived,
        } = self;
        [
            steps,
            kills,
            resumes,
            reports_told,
            batches_cut,
            lost,
            said_twice,
            lost_and_said_twice,
            gone_back,
            silences,
            replaced,
            confirmed,
            unconfirmed,
            outlived,
        ]
    }
}
