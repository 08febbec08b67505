//! How often things happened: a simulation in which nothing happens proves nothing.

/// A struct of numbers that can be added up, and of which none may stay small.
macro_rules! counts {
    ($($(#[doc = $doc:literal])* $name:ident,)*) => {
        #[derive(Debug, Default, Clone, Copy)]
        pub struct Counts {
            $($(#[doc = $doc])* pub $name: u64,)*
        }

        impl Counts {
            pub fn add(&mut self, other: Self) {
                $(self.$name += other.$name;)*
            }

            /// Panics unless everything that a world can do to a herd has been done, and often.
            pub fn check_that_much_happened(&self, worlds: u64) {
                $({
                    let (count, name) = (self.$name, stringify!($name));
                    assert!(count >= worlds / 100, "{name}: only {count} in {worlds} worlds");
                })*
            }
        }
    };
}

counts! {
    /// Things on the agenda.
    steps,
    kills,
    power_cuts,
    /// Lines that a power cut kept from arriving.
    cut_off,
    pauses,
    /// Links that went on where they had stopped.
    resumes,
    reports_told,
    batches_cut,
    /// Times that a neighbour was asked to hold back, or not to any more.
    holds,
    /// Times that what was owed waited because of that.
    held_back,

    // Faults, by what became of what was said.
    /// Reports.
    lost,
    /// Reports.
    said_twice,
    /// Batches with both.
    lost_and_said_twice,
    /// Reports that another one of their batch passed.
    overtaken,
    /// Times that something had come and not arrived yet: it was late.
    delayed,
    /// ... or there was more than a second could carry.
    throttled,
    gone_back,
    /// Links that were closed because they were cut.
    closed,
    /// Times that something had come and an end did not look, for its link was silently cut.
    swallowed,
    /// Links called dead.
    silences,
    /// Connections that came to no handshake in time.
    unproven,
    /// Links whose old connection was still there.
    replaced,
    partitions,
    /// Links that a partition had cut, healed when their ends knew different things.
    diverged,

    // Archives.
    commits,
    disk_troubles,
    /// Starts of a server that knew something from its archive.
    loads,
    /// Of those, that knew less of some client than a neighbour did.
    loads_behind,
    /// Of those, that knew more of some client than any server alive.
    loads_ahead,

    // Answers.
    /// Answers that a neighbour had heard.
    confirmed,
    /// Answers that had waited long enough.
    unconfirmed,
    /// Answers of a server without links.
    alone,
    /// Answers that were on the disk.
    stored,
    /// Deaths at the instant of an answer.
    ambushes,
    /// Confirmed answers whose server was killed.
    outlived,
    /// ... and one of the neighbours that had heard them, and not all.
    outlived_two,
    /// Stored answers whose server was killed, and all that had heard them; and that are known.
    came_back,
}
