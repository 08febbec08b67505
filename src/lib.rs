//! # herdctl: a herd of location servers that you can run, watch and break on purpose
//!
//! Phones say where they are to any one of some servers. The servers talk only to their neighbours, over real TCP;
//! each update floods to all; anyone asks any server where a client is and what is near it. There is no central
//! database. One supervisor hosts all the servers in one process, or, for `serve`, one of them; and yet:
//!
//! > **A server is a process that happens to be a thread.**
//! > **What a server knows is an atlas; a link is one number: how much of the atlas its neighbour has been told.**
//! > **The protocol decides, the server speaks, the herd governs.**
//!
//! ```text
//!        herdctl kill Clark                    nc 127.0.0.1 11003
//!               │                                      │
//!   cli ── HTTP over .herd/herd.sock ──▶ herd          │ IAMAT, WHATSAT
//!                                          │ Signal    ▼
//!                       ┌──────────────────┼──────▶ server Clark ──── AT, TOLD, HEARD ──── server Jaquez …
//!                       ▼                  ▼           │ hear(line, now)                  over real TCP
//!                  server Bailey …    server Bona …    ▼
//!                                                   protocol: Node, Atlas, Link
//! ```
//!
//! # Where to read
//!
//! In this order; arrows point at what may be imported, and nothing points back:
//! `main ─▶ cli ─▶ herd ─▶ server ─▶ protocol`, `server ─▶ places`, `cli ─▶ judge ─▶ protocol`; `config` and
//! `limits` are leaves, `keyfile` and `tls` know only them, and `logbook` knows nothing but files.
//!
//! | module | what lives there |
//! |---|---|
//! | [`protocol`] | **the core, pure**: the grammar, the atlas, one server hearing one line, the link as one number |
//! | [`server`] | **one server: one thread**, its runtime, listener, log; clients, neighbours, acknowledgements |
//! | [`herd`] | **the supervisor**: starts, watches, kills and restarts servers; the control channel |
//! | [`cli`] | the commands: each parses, asks the supervisor, prints |
//! | [`judge`] | **the judge, pure**: a history of calls and faults in, whether the promises were kept out |
//! | [`places`] | what is near a point: embedded places, Google's, the user's own |
//! | [`config`] | `herd.toml`, whole and proven before anything starts |
//! | [`logbook`] | what stands in the log files: records, rotation, the order of events |
//! | [`tls`], [`keyfile`] | certificates at both ends of a link, and files that only their owner may read |
//! | [`limits`] | every limit, with its unit and its reason |
//!
//! # The laws
//!
//! Each is an absence, and something keeps it absent.
//!
//! * `protocol` never waits, never does I/O, never looks at a clock or at chance beyond the seed of a hash table
//!   (`tests/tidy.rs`).
//! * `judge` sees no herd: a history is all it knows, and of this crate only the grammar of a line (`tests/tidy.rs`).
//! * A server shares no state with another: what it knows is held in `Rc` and `RefCell`, and sharing it does not
//!   compile. What crosses threads: the configuration (read only), signals, faults and questions in, vitals, events and
//!   answers out, log records to the appender, batches to the keepers of the archive and the bus, and
//!   their news back; and places read once for the whole process, which nobody can change.
//! * No HTTP client outlives its server: its connections live on that server's runtime.
//! * The key of a provider of places is in no argument, no `herd.toml`, no log, no answer and no error; of Google's
//!   answers nothing is kept.
//! * Nothing awaits while a node is borrowed (`clippy::await_holding_refcell_ref`).
//! * No task is detached: each belongs to its server's own set, and its panic ends that server and only it. One
//!   exception: the NATS client of the bus starts tasks that nobody can await. They live on a runtime of their own, on
//!   the keeper's thread, which has ended before its server has, and no state of a server is ever there.
//! * A runtime is never dropped, only shut down in the background; a socket is never split by ownership.
//! * No wait, queue or length is without a limit.
//! * A server never stops reading from a neighbour because it cannot write.
//! * Nobody but a proven neighbour can put a location into the herd under a server's name.

pub mod cli;
pub mod config;
pub mod herd;
pub mod judge;
pub mod keyfile;
pub mod limits;
pub mod logbook;
pub mod places;
pub mod protocol;
pub mod server;
pub mod tls;
