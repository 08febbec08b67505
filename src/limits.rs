//! Every limit with its unit and its reason. Those a user may set have a key in `herd.toml` under
//! `[limits]` or `[log]`; each has its default and, in a `_RANGE`, what it may be set to. Imports nothing of ours.

use std::ops::RangeInclusive;
use std::time::Duration;

// What a user may set. The ranges end where a value would be a slip of the pen, not where the machine ends.

/// `line_bytes_max`: the protocol's 64 KiB.
pub const LINE_BYTES_MAX: usize = 64 * 1024;
/// Below 256 bytes two neighbours could not say their hello; above 1 MiB a full house of clients is a terabyte.
pub const LINE_BYTES_RANGE: RangeInclusive<usize> = 256..=1024 * 1024;

/// `connections_max`: room for ten thousand idle phones and as many again on the way in.
pub const CONNECTIONS_MAX: usize = 16_384;
/// Nobody opens more descriptors than Linux allows a process by default: `fs.nr_open`.
pub const CONNECTIONS_RANGE: RangeInclusive<usize> = 1..=1_048_576;

/// `unread_bytes_max`: some fifty full WHATSAT answers, or fifteen thousand IAMAT answers.
pub const UNREAD_BYTES_MAX: usize = 1024 * 1024;
/// Below 4 KiB a client would be stopped at every burst.
pub const UNREAD_BYTES_RANGE: RangeInclusive<usize> = 4096..=1024 * 1024 * 1024;

/// `unread_seconds_max`: a phone in a lift comes back within this; a stuck program does not.
pub const UNREAD_SECONDS_MAX: u64 = 30;
/// A day: whoever has read nothing for longer has gone.
pub const UNREAD_SECONDS_RANGE: RangeInclusive<u64> = 1..=86_400;

/// `idle_seconds_max`: off.
pub const IDLE_SECONDS_MAX: u64 = 0;
/// A year, so that adding it to any clock is safe.
pub const IDLE_SECONDS_RANGE: RangeInclusive<u64> = 0..=31_536_000;

/// `heard`: neighbours that must have heard before an IAMAT is answered; no server has more than all others.
pub const HEARD_RANGE: RangeInclusive<usize> = 1..=*SERVERS_RANGE.end() - 1;

/// `lookups_max`: place providers ask for few requests at once.
pub const LOOKUPS_MAX: usize = 8;
/// At least one, or no WHATSAT would ever be answered.
pub const LOOKUPS_RANGE: RangeInclusive<usize> = 1..=1024;

/// `clients_max`: off.
pub const CLIENTS_MAX: u64 = 0;
/// One server's memory ends long before a thousand million clients.
pub const CLIENTS_RANGE: RangeInclusive<u64> = 0..=1_000_000_000;

/// `future_seconds_max`: off, for the protocol has no such rule.
pub const FUTURE_SECONDS_MAX: u64 = 0;
/// A century: clocks differ by less, and adding it to any time is safe.
pub const FUTURE_SECONDS_RANGE: RangeInclusive<u64> = 0..=3_155_760_000;

/// `file_bytes_max` of `[log]`.
pub const LOG_FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Below 64 KiB one long line would turn the file over; above 1 TiB it is never turned over at all.
pub const LOG_FILE_BYTES_RANGE: RangeInclusive<u64> = 64 * 1024..=1024 * 1024 * 1024 * 1024;

/// `files_max` of `[log]`: with five servers some 1.3 GB of disk at the most.
pub const LOG_FILES_MAX: u32 = 4;
/// Every rotation renames all of them, so not more than a thousand.
pub const LOG_FILES_RANGE: RangeInclusive<u32> = 1..=1000;

// `herd.toml` itself.

/// A file this long is not a herd.toml: 4,096 servers with 16,384 links take about 800 KB.
pub const HERD_FILE_BYTES_MAX: usize = 1024 * 1024;
/// Servers of one herd: each is a thread and a handful of descriptors, and 2,000 of them have been tried.
pub const SERVERS_RANGE: RangeInclusive<usize> = 1..=4096;
/// Links of one herd: a full mesh of 181 servers, or eight neighbours each for 4,096.
pub const LINKS_MAX: usize = 16_384;
/// The longest name, in bytes: it stands in every `AT` line, in columns of `ps`, and names a log file.
pub const NAME_BYTES_MAX: usize = 32;
/// The longest path in herd.toml, in bytes: Linux's `PATH_MAX`.
pub const PATH_BYTES_MAX: usize = 4096;
/// Mistakes that are kept and shown of one herd.toml; the others are counted. Nobody reads on after fifty.
pub const MISTAKES_SHOWN_MAX: usize = 50;
/// A line of herd.toml longer than this, in bytes, is pointed at by number and not shown.
pub const LINE_SHOWN_BYTES_MAX: usize = 4096;
/// Linux takes the ports of outgoing connections from here upward (`ip_local_port_range`): a neighbour that
/// dials a dead port up there again and again connects to itself at last.
pub const EPHEMERAL_PORT_FIRST: u16 = 32_768;

// Links (protocol.md §3).

/// An end with nothing to say repeats `TOLD` so often.
pub const HEARTBEAT_EVERY: Duration = Duration::from_secs(1);
/// An end that has heard nothing for so long calls the link dead: it has missed two heartbeats, and on a busy machine, too,
/// it has noticed within three seconds.
pub const LINK_SILENCE_MAX: Duration = Duration::from_millis(2_900);
/// A new connection has so long to say the hello and the proof.
pub const HANDSHAKE_MAX: Duration = Duration::from_secs(3);
/// The longest line of a handshake; the longest is some 300 bytes.
pub const HELLO_BYTES_MAX: usize = 1024;
/// A dial that has not connected by then is given up and tried again.
pub const DIAL_MAX: Duration = Duration::from_secs(2);
/// And no sooner where a name must be looked up: whoever answers for names answers others too.
pub const NAME_REST: Duration = Duration::from_millis(250);
/// The first wait before dialling again; doubled each time, with jitter.
pub const BACKOFF_FIRST: Duration = Duration::from_millis(10);
/// The longest wait before dialling again: a server that comes back is linked before anybody has noticed.
pub const BACKOFF_MAX: Duration = Duration::from_millis(50);
/// `HEARD` for what none of the neighbour's own clients has said waits so long for something to go with: nobody waits
/// for it, and to say it at once would cost both ends as much as the reports do.
pub const HEARD_REST: Duration = Duration::from_millis(5);
/// With `flooding = "tree"`, a neighbour that has told so many known reports in a row is asked to hold back: some batches'
/// worth, so that it is no accident that somebody else was sooner.
pub const HOLD_KNOWN_MIN: u32 = 32;
/// A link that its neighbour has asked to hold back tells no more often: by then most clients of a busy herd have moved
/// again, and it is as soon as anybody would miss something.
pub const HOLD_REST: Duration = Duration::from_millis(100);
/// An answer that no neighbour has confirmed by then is written all the same, counted and logged.
pub const CONFIRM_MAX: Duration = Duration::from_millis(250);
/// A link writes its batches in pieces of about this size, so that `HEARD` and heartbeats get through.
pub const LINK_BATCH_BYTES: usize = 64 * 1024;
/// A neighbour that has lost reports is told them again in batches of half the size each time, down to one report;
/// after that, with twice the rest before it each time, from this...
pub const RETELL_FIRST: Duration = Duration::from_millis(1);
/// ... up to this: a link that loses everything costs four batches a second and no more.
pub const RETELL_MAX: Duration = Duration::from_millis(250);
/// One read takes so much: a burst of a thousand lines or so, heard without letting others in between.
pub const READ_BYTES: usize = 64 * 1024;
/// Questions of one client whose places are at hand are answered so many in one write, without letting others in
/// between: full answers of 15 kB make one write of a burst.
pub const QUESTIONS_AT_ONCE: usize = 4;

// Faults.

/// What a faulty link holds that has come and not arrived; with more it stops reading, as a full TCP window would.
pub const TRANSIT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// A throttled link lets so long's worth through at once at most: far less than [`LINK_SILENCE_MAX`].
pub const THROTTLE_BURST: Duration = Duration::from_millis(100);
/// And looks again so much after it may, so that it does not look for single bytes.
pub const THROTTLE_TICK: Duration = Duration::from_millis(1);

// Connections.

/// A connection that is being closed is still listened to for so long: closing it with unread input would
/// reset it, and the last answer would be lost.
pub const LINGER_MAX: Duration = Duration::from_millis(250);
/// Connections beyond `connections_max`, or the last descriptors, that may still prove themselves neighbours: a crowd of clients must
/// not keep the herd apart.
pub const NEIGHBOURS_WAITING_MAX: usize = 16;
/// A client that has been silent for so long is probed by the kernel, and its connection ends if it has vanished.
pub const KEEPALIVE_AFTER: Duration = Duration::from_secs(120);
/// Descriptors of the process that clients leave to the operator, the neighbours and the logs: whose connection's
/// descriptor is among the last so many is no client any more.
pub const DESCRIPTORS_KEPT: u64 = 128;
/// Where few are allowed, it is this part of them.
pub const DESCRIPTORS_KEPT_PART: u64 = 4;
/// The kernel's queue of connections not yet accepted.
pub const BACKLOG: i32 = 4096;
/// With no descriptors left, a server looks again so often.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// A server that is told to stop has so long to say what it owes.
pub const STOP_MAX: Duration = Duration::from_millis(400);

// Places (places.md §5.3).

/// A lookup that has no answer by then is answered with Google's envelope of a failure; waiting for its turn counts.
pub const LOOKUP_MAX: Duration = Duration::from_secs(5);
/// A provider that cannot be connected to within this is not there.
pub const PLACES_CONNECT_MAX: Duration = Duration::from_secs(2);
/// One request to a provider, from dialling to the last byte.
pub const PLACES_REQUEST_MAX: Duration = Duration::from_secs(4);
/// The longest answer of a provider, in bytes: twenty results take 15 to 40 kB.
pub const PLACES_BODY_BYTES_MAX: usize = 1024 * 1024;
/// The one retry waits for so long, in milliseconds, chosen at random so that servers do not come in step.
pub const PLACES_RETRY_MS: RangeInclusive<u64> = 200..=400;
/// After so many failures in a row a provider is left alone.
pub const PLACES_FAILURES_MAX: u32 = 5;
/// And for so long: what Google asks for after "too many requests".
pub const PLACES_REST: Duration = Duration::from_secs(30);
/// The most results that Google gives at once. It bills by the request, so all are asked for and cut here.
pub const PLACES_RESULTS_MAX: usize = 20;
/// The longest key of a provider, in bytes; Google's have 39.
pub const PLACES_KEY_BYTES_MAX: usize = 512;
/// The longest address of a provider in herd.toml, in bytes.
pub const URL_BYTES_MAX: usize = 2048;

/// The longest file of places, in bytes: all of GeoNames' `US.txt` three times over.
pub const PLACES_FILE_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Places of one file, each some 40 bytes of memory: ten times as many as a city's worth of OpenStreetMap.
pub const PLACES_MAX: usize = 5_000_000;
/// The longest name of a place in a file, in bytes.
pub const PLACE_NAME_BYTES_MAX: usize = 512;
/// Types of one place; Google gives up to about eight.
pub const PLACE_TYPES_MAX: usize = 8;
/// The longest type of a place, in bytes.
pub const PLACE_TYPE_BYTES_MAX: usize = 64;
/// Bad records of a file that are named; the others are counted.
pub const BAD_RECORDS_NAMED_MAX: usize = 5;
/// The credit that goes into every answer, in bytes.
pub const ATTRIBUTION_BYTES_MAX: usize = 1024;

// The archive.

/// One commit takes about so much: some fifty thousand reports, which are copied in a few milliseconds. More would
/// hold up the server while it copies them.
pub const ARCHIVE_BATCH_BYTES: usize = 4 * 1024 * 1024;
/// Clients that are forgotten and still in the archive, while that takes nothing: one order each, by hand.
pub const FORGOTTEN_MAX: usize = 1024;
/// A load comes in pieces of this size, so that a server being loaded can still be killed.
pub const ARCHIVE_LOAD_BYTES: usize = 1024 * 1024;
/// Pieces of a load on their way: one being learnt, the next being read.
pub const ARCHIVE_NEWS_MAX: usize = 2;
/// What redb keeps of a file in memory: its inner pages; what else is read is in the kernel's cache.
pub const ARCHIVE_CACHE_BYTES: usize = 32 * 1024 * 1024;
/// Between two commits, unless an answer waits for the next: so many a second are enough, and are easy on the disk.
pub const ARCHIVE_REST: Duration = Duration::from_millis(50);
/// After trouble the file is opened again after so long; doubled each time.
pub const ARCHIVE_RETRY_FIRST: Duration = Duration::from_millis(100);
/// The longest wait before it is opened again: opening reads all of it.
pub const ARCHIVE_RETRY_MAX: Duration = Duration::from_secs(2);
/// A server that is told to stop has so long to store what it knows, after all that [`STOP_MAX`] allows.
pub const ARCHIVE_STOP_MAX: Duration = Duration::from_secs(2);

// The bus.

/// Reports of one batch, which is told when all of it has been acknowledged: at 100 ms to the bus and back, eighty
/// thousand a second.
pub const BUS_BATCH_REPORTS: usize = 8192;
/// And so much of them, in bytes, or one report more: what is copied at once must not hold up the server.
pub const BUS_BATCH_BYTES: usize = 4 * 1024 * 1024;
/// Batches between a server and its keeper. One is on its way; one more of each joining of the bus that the server has
/// not heard of yet, which [`BUS_NEWS_MAX`] bounds.
pub const BUS_BATCHES_MAX: usize = BUS_NEWS_MAX + 2;
/// News of the keeper that the server has not heard yet: pieces of the bucket of [`BUS_PIECE_BYTES`] each.
pub const BUS_NEWS_MAX: usize = 4;
/// What is read of the bucket is handed over in pieces of about this size, a thousand reports or so.
pub const BUS_PIECE_BYTES: usize = 64 * 1024;
/// Entries that are asked for at once, and then come without being asked for.
pub const BUS_READ_MESSAGES: usize = 4096;
/// Clients whose report is put right; with more of them everything is told again.
pub const BUS_OWED_MAX: usize = 4096;
/// The longest token of a key, in bytes: a subject has three, and nats-server takes lines of 4 KiB.
pub const BUS_TOKEN_BYTES_MAX: usize = 255;
/// The longest name of a bucket, in bytes: it names a folder where the bus keeps it.
pub const BUS_BUCKET_BYTES_MAX: usize = 64;
/// `replicas`: what JetStream knows.
pub const BUS_REPLICAS_RANGE: RangeInclusive<usize> = 1..=5;
/// Bridges of one herd: each tells and reads everything.
pub const BUS_BRIDGES_RANGE: RangeInclusive<usize> = 1..=16;
/// A bus that cannot be connected to within this is not there.
pub const BUS_CONNECT_MAX: Duration = Duration::from_secs(3);
/// An answer, or an acknowledgement, that has not come by then will not come: a disk that syncs takes less.
pub const BUS_ANSWER_MAX: Duration = Duration::from_secs(5);
/// A connection is asked so often whether it lives.
pub const BUS_PING_EVERY: Duration = Duration::from_secs(2);
/// What is asked for is asked for anew so often, while the bus says so often that it is there.
pub const BUS_PULL_EVERY: Duration = Duration::from_secs(30);
pub const BUS_HEARTBEAT_EVERY: Duration = Duration::from_secs(2);
/// The bus forgets a reader that has asked for nothing for so long; above [`BUS_PULL_EVERY`].
pub const BUS_READER_IDLE_MAX: Duration = Duration::from_secs(60);
/// After trouble the bus is joined again after so long; doubled each time it was in vain.
pub const BUS_RETRY_FIRST: Duration = Duration::from_millis(100);
/// The longest wait before it is joined again.
pub const BUS_RETRY_MAX: Duration = Duration::from_secs(1);

// Logs.

/// Blocks, and events, waiting for the disk: some 32 MiB of a server, more where what is logged has to be escaped; while
/// the disk keeps up, hardly ever two.
pub const LOG_QUEUE_BLOCKS: usize = 128;
/// Traffic is in the log so long after it was said, at the latest: nobody sees the difference, and to wake the appender
/// for every few lines would cost as much as all else that a server does for them.
pub const LOG_REST: Duration = Duration::from_millis(5);
/// A block so long is handed over at once: long enough for the kernel to take many pages in one piece, and short enough for
/// the caches of one core.
pub const LOG_BLOCK_BYTES: usize = 256 * 1024;
/// So many bytes more of the disk are asked for at once for a log file that has grown as long.
pub const LOG_RESERVE_BYTES: u64 = 4 * 1024 * 1024;
/// Traffic that is put into a block at once: at most so many bytes, and so many lines. Their records are a few times as
/// long.
pub const LOG_BLOCK_TRAFFIC_BYTES: usize = 64 * 1024;
pub const LOG_BLOCK_LINES: usize = 1024;

// Events: what happens, for whoever watches.

/// Events of one server that wait for the supervisor: links and clients that come and go. It looks every
/// [`EVENTS_GATHER_IDLE`] at the latest, so this is forty thousand a second.
pub const EVENTS_QUEUED_MAX: usize = 4096;
/// Hops of the whole herd that wait for the supervisor; a burst of a thousand updates makes some ten thousand.
pub const HOPS_QUEUED_MAX: usize = 65_536;
/// Bursts of hops of one server that wait for the supervisor.
pub const HOP_BURSTS_QUEUED_MAX: usize = 1024;
/// So much of a client's name is in an event.
pub const EVENT_CLIENT_BYTES_MAX: usize = 128;
/// While somebody reads events, they are gathered so often at most: a hundred batches a second.
pub const EVENTS_GATHER_EVERY: Duration = Duration::from_millis(10);
/// And so often while nobody does, which is for those who will ask what has been.
pub const EVENTS_GATHER_IDLE: Duration = Duration::from_millis(100);
/// A server that has begun to tell something has so long to do it; then the others' events go before it, and its
/// own are counted as missed. It is only ever as long as a server that waits for its log.
pub const EVENTS_TURN_MAX: Duration = Duration::from_millis(500);
/// Events that can be asked for again: with some 200 bytes each, a megabyte.
pub const EVENTS_KEPT: usize = 4096;
/// Hops that can be asked for again: some 8 MB, and only while somebody listens to them.
pub const HOPS_KEPT: usize = 32_768;
/// A reader of events is given about so much at a time, …
pub const EVENTS_CHUNK_BYTES: usize = 64 * 1024;
/// … and so many such pieces wait for it. What comes then is left out, and the reader is told how much.
pub const EVENTS_CHUNKS_MAX: usize = 32;
/// Readers of events; fewer than [`CONTROL_CONNECTIONS_MAX`], so that orders always get through.
pub const EVENTS_READERS_MAX: usize = 16;
/// A reader that has been told nothing for so long gets an empty line, so that both ends know that the other
/// lives; below [`CONTROL_SILENCE_MAX`].
pub const EVENTS_SILENCE_MAX: Duration = Duration::from_secs(20);

/// Readers of a process's logs over its control channel, a thread each; with [`EVENTS_READERS_MAX`] fewer than
/// [`CONTROL_CONNECTIONS_MAX`].
pub const LOG_READERS_MAX: usize = 8;
/// Pieces of some [`EVENTS_CHUNK_BYTES`] that wait for such a reader; then its thread waits, and no server.
pub const LOG_CHUNKS_MAX: usize = 4;
/// How often files are looked at for it.
pub const LOG_LOOK_EVERY: Duration = Duration::from_millis(50);
/// A record is waited for so long if a later one of another log of the process has come before it.
pub const LOG_REORDER_MAX: Duration = Duration::from_secs(1);

// The supervisor and its control channel.

/// Events waiting for the supervisor's loop, which never waits itself; more than every server and every control connection can cause.
pub const EVENTS_MAX: usize = 1024;
/// Signals waiting for one server: a hung one reads none, and its queue's end means "kill".
pub const SIGNALS_MAX: usize = 16;
/// A server that was started has so long to answer; loading some millions of clients from its archive takes a part of it.
pub const SERVING_MAX: Duration = Duration::from_secs(10);
/// A server that was told to leave has so long to be gone; above twice [`STOP_MAX`] and
/// [`ARCHIVE_STOP_MAX`], which are its own limits.
pub const LEAVE_MAX: Duration = Duration::from_secs(5);
/// A killed server's thread has so long to end; it takes microseconds unless the thread is stuck.
pub const KILL_MAX: Duration = Duration::from_secs(2);
/// A server that was told to pause or to go on has so long to do it.
pub const PAUSE_MAX: Duration = Duration::from_secs(2);
/// `start --wait` has so long until the server knows what its neighbours know.
pub const SETTLE_MAX: Duration = Duration::from_secs(10);
/// How often `start --wait` looks again: an atlas rings no bell when it grows.
pub const SETTLE_LOOK_EVERY: Duration = Duration::from_millis(1);
/// Questions waiting for one server; a hung one reads none, and whoever asks meanwhile is told so.
pub const QUESTIONS_MAX: usize = 16;
/// A server that is asked about its table has so long to answer: it looks a name up in microseconds, after one burst.
pub const QUESTION_MAX: Duration = Duration::from_millis(500);
/// `whereis --all` shows so many clients at most of each server: those that moved last.
pub const WHEREIS_CLIENTS_MAX: usize = 1000;
/// `forget` asks so often whether a neighbour has told the report again meanwhile, and takes it out again.
pub const FORGET_ROUNDS_MAX: usize = 5;
/// A cut that closes has so long to be seen by both ends before `cut` answers; they see it at once unless they hang.
pub const CUT_MAX: Duration = Duration::from_millis(500);
/// The longest delay of a link. Above [`LINK_SILENCE_MAX`] it is a cut already.
pub const DELAY_MAX: Duration = Duration::from_secs(60);
/// The longest `--for`.
pub const FAULT_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// Seeds that nobody chose are below this: short enough to be typed again.
pub const SEED_END: u64 = 10_000;
/// Connections to the control socket.
pub const CONTROL_CONNECTIONS_MAX: usize = 32;
/// A token of the control addresses is no word that can be guessed, …
pub const CONTROL_TOKEN_BYTES_MIN: usize = 16;
/// … and fits a header.
pub const CONTROL_TOKEN_BYTES_MAX: usize = 512;
/// Whoever shows a wrong token on a control address is told so after this: with all places taken, a few hundred guesses a
/// second.
pub const CONTROL_REFUSAL_AFTER: Duration = Duration::from_millis(100);
/// Connections to the address of the metrics: a few Prometheus, and a person who looks.
pub const METRICS_CONNECTIONS_MAX: usize = 16;
/// A server that no neighbour has been linked with for so long is alone, and as ready as it will be; above the time in
/// which one that is there would have been found: [`HANDSHAKE_MAX`], and a dial.
pub const ALONE_AFTER: Duration = Duration::from_secs(5);
/// Whoever asks whether the herd is alive is answered within this: Kubernetes gives a probe one second.
pub const HEALTH_ANSWER_MAX: Duration = Duration::from_millis(500);
/// Where the dashboard is, if nothing else is there: beside the usual ports of the servers.
pub const DASH_PORT: u16 = 11080;
/// Connections to the dashboard: a browser opens six.
pub const DASH_CONNECTIONS_MAX: usize = 32;
/// So much of the end of a log is shown there, in bytes.
pub const DASH_LOG_BYTES_MAX: u64 = 16 * 1024;
/// All of the page, in bytes.
pub const DASH_PAGE_BYTES_MAX: usize = 60_000;
/// The body of a request on the control socket: the names of a thousand servers.
pub const CONTROL_BODY_BYTES_MAX: usize = 16 * 1024;
/// The longest that a control request waits for its answer; above every wait that an order can cause.
pub const CONTROL_ANSWER_MAX: Duration = Duration::from_secs(30);
/// A control connection that has been silent for so long is closed; above [`CONTROL_ANSWER_MAX`], during which its client says nothing.
pub const CONTROL_SILENCE_MAX: Duration = Duration::from_secs(60);
/// After `down`, control connections have so long to take their last answer.
pub const CONTROL_FAREWELL_MAX: Duration = Duration::from_millis(500);
/// The longest `down --timeout` that is honoured.
pub const DOWN_MAX: Duration = Duration::from_secs(20);
/// A supervisor that has just taken the lock has so long to write who it is.
pub const LOCK_SETTLE_MAX: Duration = Duration::from_secs(1);
/// And so long to answer on its socket, each time it is asked.
pub const LOCK_ANSWER_MAX: Duration = Duration::from_millis(300);
/// How often the lock is looked at meanwhile.
pub const LOCK_LOOK_EVERY: Duration = Duration::from_millis(10);
/// A lock file longer than this is none of ours.
pub const LOCK_BYTES_MAX: u64 = 64 * 1024;
/// `up -d` waits so long for the first word of the process it started.
pub const DETACH_FIRST_WORD_MAX: Duration = Duration::from_secs(10);
/// And so long after the herd should be ready or have failed.
pub const DETACH_GRACE: Duration = Duration::from_secs(10);
/// `supervisor.log` starts anew when it is longer than this.
pub const SUPERVISOR_LOG_BYTES_MAX: u64 = 1024 * 1024;
/// How much of `supervisor.log` is shown when a supervisor dies at its start.
pub const SUPERVISOR_LOG_TAIL_LINES: usize = 10;
/// Two signals closer together than this are one wish: a closing terminal and `timeout(1)` both send theirs twice.
pub const PRESS_APART_MIN: Duration = Duration::from_millis(100);
/// The longest note that a person is shown about a crash, in characters.
pub const NOTE_CHARS_MAX: usize = 300;
/// No secret is longer; a mistaken path may name something endless.
pub const SECRET_BYTES_MAX: u64 = 64 * 1024;
/// No file of certificates or of a key is longer; a bundle with all public authorities is 250 KB.
pub const PEM_BYTES_MAX: u64 = 1024 * 1024;

// `herdctl bench`: it loads a machine that others may use, so it ends by itself and knows its own size.

/// Clients that a bench may make: ten million names of fourteen bytes.
pub const BENCH_CLIENTS_RANGE: RangeInclusive<u64> = 1..=10_000_000;
/// Connections of a bench: each is looked at in turn, in one thread.
pub const BENCH_CONNECTIONS_RANGE: RangeInclusive<u64> = 1..=1000;
/// Commands in flight on one connection; more than a thousand only fill buffers.
pub const BENCH_DEPTH_RANGE: RangeInclusive<u64> = 1..=4096;
/// Commands a second of an open loop; more than one core can say.
pub const BENCH_RATE_RANGE: RangeInclusive<f64> = 0.1..=10_000_000.0;
/// Commands that a herd which falls behind owes on one connection before the bench says no more; their latencies count
/// from when they were due all the same.
pub const BENCH_WAITING_MAX: usize = 65_536;
/// So many commands are in flight on a connection while the clients are introduced, and so long it may take.
pub const BENCH_INTRODUCE_DEPTH: usize = 256;
pub const BENCH_INTRODUCE_MAX: Duration = Duration::from_secs(300);
/// What is owed at the end is waited for so long.
pub const BENCH_DRAIN_MAX: Duration = Duration::from_secs(5);
/// A probe of convergence is said so often: twenty a second cost nothing beside any load.
pub const BENCH_PROBE_EVERY: Duration = Duration::from_millis(50);
/// A probe that some server has not heard of by then is given up, and counted.
pub const BENCH_PROBE_MAX: Duration = Duration::from_secs(5);
/// No answer is longer: a WHATSAT has at most twenty places.
pub const BENCH_ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
// `herdctl chaos`: what it does to a herd, and what it holds it to.

/// `--clients`: each is a connection and a task of one thread.
pub const CHAOS_CLIENTS_RANGE: RangeInclusive<usize> = 1..=1000;
/// `--rate`, lines a second from all clients together: what one thread says and judges beside a herd on two cores.
pub const CHAOS_RATE_RANGE: RangeInclusive<u64> = 1..=20_000;
/// A server that is up and not paused answers within this: [`CONFIRM_MAX`], and a busy machine's worst turn.
pub const CHAOS_ANSWER_MAX: Duration = Duration::from_secs(3);
/// After the last heal the herd agrees within this: [`LINK_SILENCE_MAX`], a handshake that hangs as long, and the telling.
pub const CHAOS_SETTLE_MAX: Duration = Duration::from_secs(10);
/// Over a link that is up and left alone, a report is on the other side within this: milliseconds, and a busy machine.
pub const CHAOS_SPREAD_MAX: Duration = Duration::from_secs(1);
/// The herd's process may take so much more memory than at the beginning, in kilobytes...
pub const CHAOS_RSS_KB_MAX: u64 = 256 * 1024;
/// ... and so many bytes more for each planned line: what servers, logs and the judge keep of it.
pub const CHAOS_LINE_BYTES: u64 = 1024;
/// A client waits so long for an answer: longer than any pause, and what is then missing is missing.
pub const CHAOS_PATIENCE: Duration = Duration::from_secs(20);
/// A log file of a herd of one's own, in bytes; each server keeps two.
pub const CHAOS_LOG_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// How often the herd is looked at while things are done to it.
pub const CHAOS_LOOK_EVERY: Duration = Duration::from_millis(50);
/// How often it is looked at while it should come to agree.
pub const CHAOS_SETTLE_LOOK_EVERY: Duration = Duration::from_millis(20);
/// A connection is made within this, or is not to be had.
pub const CHAOS_DIAL_MAX: Duration = Duration::from_secs(5);
/// After a connection that was not to be had, or a burst that the machine was too slow for, a client rests.
pub const CHAOS_REST: Duration = Duration::from_millis(20);
/// A client that moves to another server stays so long, in milliseconds.
pub const CHAOS_STAY_MS: RangeInclusive<u64> = 200..=2500;
/// Clients that say where they are once and never again: what is lost of them is not covered by anything newer.
pub const CHAOS_SETTLERS_MAX: u64 = 20_000;

/// Steps of a scenario of `play`: enough for an hour of a class.
pub const PLAY_STEPS_RANGE: RangeInclusive<usize> = 1..=1_000;

/// Expectations of one step.
pub const PLAY_EXPECTATIONS_RANGE: RangeInclusive<usize> = 1..=100;

/// What is kept of what a command of a scenario says: twenty places are 16 kB.
pub const PLAY_SAID_BYTES_MAX: usize = 64 * 1024;
/// Lines of one client that wait for their answers.
pub const CHAOS_PENDING_MAX: usize = 1000;
