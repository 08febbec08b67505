//! What can be typed, as types. Each command's help leads with an example and says what the command does to a
//! real system and what it does not. Meaning is given once, here; no command looks at a raw argument again.

mod bench;
mod chaos;
mod fake_places;
mod faults;
mod file;
mod herd;
mod members;
mod play;
mod talk;
mod watching;

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand};

pub use bench::Bench;
pub use chaos::Chaos;
pub use fake_places::FakePlaces;
pub use faults::{Chance, Cut, Delay, Ends, Forget, Heal, Links, Partition, Throttle, Wait, Whereis};
pub use file::{Check, Init};
pub use herd::{Down, Ps, Serve, Up};
pub use members::{Kill, Members, Pause, Restart, Start};
pub use play::Play;
pub use talk::{Iamat, Send, Whatsat};
pub use watching::{Completions, Dash, Events, Lines, Logs, Man, Shell, Top};

use super::human::parse_duration;
use super::term::Choice;

const TEMPLATE: &str = "{before-help}{about-with-newline}
{usage-heading} {usage}

{all-args}{after-help}";

/// A herd of location servers to run, watch and break on purpose.
#[derive(Debug, Parser)]
#[command(
    name = "herdctl",
    version,
    before_help = "Example: herdctl init && herdctl up -d && herdctl ps",
    after_help = "Topics:  herdctl help exit-codes · json · faults · scenarios",
    help_template = TEMPLATE,
    disable_help_subcommand = true,
    // One help, whether asked for with -h or --help.
    disable_help_flag = true,
    max_term_width = 80
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Flags that stand before or after any command.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// The herd.toml to use [default: nearest one upward]
    #[arg(short, long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The control socket, instead of a herd.toml
    #[arg(long, global = true, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// Answer with JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// auto, always or never
    #[arg(long, global = true, value_enum, default_value_t, hide_possible_values = true, value_name = "WHEN")]
    pub color: Choice,
    /// Say nothing beside answers and errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say what is done behind the scenes
    #[arg(long, global = true, conflicts_with = "quiet")]
    pub verbose: bool,
    /// How long to wait for an answer [default: 5s]
    #[arg(long, global = true, value_name = "DUR", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
    /// Never ask on the terminal
    #[arg(long, global = true)]
    pub no_input: bool,
    /// Print help
    #[arg(short, long, global = true, action = ArgAction::HelpShort)]
    pub help: Option<bool>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start the herd
    #[command(
        before_help = "Example: herdctl up -d",
        after_help = "In the foreground the logs of all servers are shown as they are written, and Ctrl-C ends the herd. A terminal that is too slow for them skips some and says how many; it never slows a server. Each server is a thread with its own runtime, port and memory, in one process.",
        help_template = TEMPLATE
    )]
    Up(Up),
    /// Run one server of the herd in a process of its own
    #[command(
        before_help = "Example: herdctl serve Clark",
        after_help = "In the foreground, under any runner; SIGTERM and Ctrl-C stop it, and if the server fails the process ends with 1. systemd's NOTIFY_SOCKET is told READY=1 when it listens, WATCHDOG=1 if it asks for it, and STOPPING=1. Whoever else runs it asks for /healthz (the process answers) and /readyz (the server listens, and knows what a neighbour knows or has been alone for 5s), on the control socket and on the address of [metrics]. All processes need the same herd.toml, and the same secret: in its secret_file, or in HERDCTL_SECRET. Each answers for its own server, on a control socket of its own (herdctl --socket .herd/Clark.serve/herd.sock events) and, with a token, at the `control` address that herd.toml gives it; herdctl down ends it, and most commands ask all processes of a herd, if no herd is up. Its logs are in logs/Clark/.",
        help_template = TEMPLATE
    )]
    Serve(Serve),
    /// End the herd
    #[command(
        before_help = "Example: herdctl down",
        after_help = "Each server finishes what it has; what has not left after --timeout (5s) is killed. With no herd running this changes nothing and succeeds. Where each server is a process of its own, all of them end that can be asked, on other hosts too, and who could not be asked is said; what a runner starts again comes back. herdctl stop ends the servers and leaves the processes.",
        help_template = TEMPLATE
    )]
    Down(Down),
    /// Show the servers, their links and what they know
    #[command(
        visible_alias = "status",
        before_help = "Example: herdctl ps --check && echo all is well",
        after_help = "ISLANDS are groups of running servers that can reach each other over live links that are not cut; the herd has converged when the servers of each island know the same.",
        help_template = TEMPLATE
    )]
    Ps(Ps),
    /// Kill servers, as SIGKILL would
    #[command(
        before_help = "Example: herdctl kill Clark",
        after_help = "Nothing is flushed, no goodbye is said, every socket is closed by the system and the server's memory is gone. The servers share one process and one machine: this is the death of a process, not of a machine or of a network. --power is closer to that of a machine: connections are reset, and bytes that the system had not sent yet are gone.",
        help_template = TEMPLATE
    )]
    Kill(Kill),
    /// Stop servers gracefully, as SIGTERM would
    #[command(
        before_help = "Example: herdctl stop Clark",
        after_help = "A stopping server takes nothing new, answers what it has heard, and leaves.",
        help_template = TEMPLATE
    )]
    Stop(Members),
    /// Start servers that are down
    #[command(
        before_help = "Example: herdctl start Clark --wait",
        after_help = "A server starts with an empty memory, on the address it had; its neighbours find it and tell it what they know. --wait answers when they have (or fails after 10s).",
        help_template = TEMPLATE
    )]
    Start(Start),
    /// Stop servers and start them again
    #[command(
        before_help = "Example: herdctl restart Clark --hard --wait",
        after_help = "Their memory is lost and comes back from their neighbours.",
        help_template = TEMPLATE
    )]
    Restart(Restart),
    /// Freeze servers, as SIGSTOP would: a hung process
    #[command(
        before_help = "Example: herdctl pause Clark && herdctl iamat kiwi +34.07-118.45 --to Clark",
        after_help = "Its port still takes connections, as the kernel does for a hung process; nothing is read or answered, and its timers stand still. Its neighbours notice the silence. Only resume, kill, down or the time of --for ends it.",
        help_template = TEMPLATE
    )]
    Pause(Pause),
    /// Let paused servers go on, as SIGCONT would
    #[command(before_help = "Example: herdctl resume Clark", help_template = TEMPLATE)]
    Resume(Members),
    /// Show the links and what is wrong with them
    #[command(
        before_help = "Example: herdctl links --watch",
        after_help = "LAG is how many changes the other end has not confirmed, in each direction. Held: with flooding = \"tree\" it hears of them sooner from somebody else, and has asked to be told a little later.",
        help_template = TEMPLATE
    )]
    Links(Links),
    /// Cut a link between two servers
    #[command(
        before_help = "Example: herdctl cut Campbell Jaquez --silent --for 30s",
        after_help = "Connections are closed and refused at both ends, which is noticed at once. With --silent they stay open and nothing arrives, as in most real partitions: that is noticed when heartbeats fail to come (3s). A silent cut shorter than that loses nothing, as TCP repeats what was not taken. Closing cannot be one-way, for a connection has no half that could be closed: --one-way needs --silent. A cut outlives the servers at both ends, until heal, down or the time of --for.",
        help_template = TEMPLATE
    )]
    Cut(Cut),
    /// Delay what is said over a link
    #[command(
        before_help = "Example: herdctl delay Bona Campbell 250ms --jitter 50ms --one-way",
        after_help = "Everything arrives so much later, in order; the hello of a new connection too, so that with more than about a second no link comes up any more (a handshake may take 3s), and with more than 3s none stays. 0ms removes the delay.",
        help_template = TEMPLATE
    )]
    Delay(Delay),
    /// Lose reports on a link
    #[command(
        before_help = "Example: herdctl loss Bona Campbell 20%",
        after_help = "Whole reports are dropped, by chance, as they arrive; TCP itself loses nothing, and no line is torn. The count beside TOLD is what notices: the neighbour is told again. The same seed drops the same reports of a connection. 0% removes the loss.",
        help_template = TEMPLATE
    )]
    Loss(Chance),
    /// Let reports on a link arrive twice
    #[command(
        before_help = "Example: herdctl dup Bona Campbell 5%",
        after_help = "Whole reports arrive twice, one after the other, by chance. 0% removes it.",
        help_template = TEMPLATE
    )]
    Dup(Chance),
    /// Let reports on a link overtake each other
    #[command(
        before_help = "Example: herdctl reorder Bona Campbell 50%",
        after_help = "By chance a report is overtaken by the next one of its batch. A quiet link has batches of one, and nothing to reorder. 0% removes it.",
        help_template = TEMPLATE
    )]
    Reorder(Chance),
    /// Slow a link down to so many bytes a second
    #[command(
        before_help = "Example: herdctl throttle Bona Campbell 64k",
        after_help = "What does not get through waits, in the system's buffers at last, as behind a thin line. 0 removes it.",
        help_template = TEMPLATE
    )]
    Throttle(Throttle),
    /// Cut every link between groups of servers
    #[command(
        before_help = "Example: herdctl partition Clark,Jaquez --for 20s",
        after_help = "Servers that are not named form one more group. An earlier partition is replaced. See: herdctl help cut",
        help_template = TEMPLATE
    )]
    Partition(Partition),
    /// Heal a link, all links of a server, or all
    #[command(
        before_help = "Example: herdctl heal --all",
        after_help = "What was under way arrives at once; a link that was cut comes up by itself.",
        help_template = TEMPLATE
    )]
    Heal(Heal),
    /// Show which servers know where a client is
    #[command(
        before_help = "Example: herdctl whereis kiwi.cs.ucla.edu",
        after_help = "Read from the servers' own tables, without asking for places. --all shows the clients that moved last. --watch shows each server's knowledge as it changes: who told it and when it heard, redrawn on a terminal, a line each with --json; it has the servers report every hop meanwhile. Exit code 8 if no server knows the client.",
        help_template = TEMPLATE
    )]
    Whereis(Whereis),
    /// Take a client's location out of every running server
    #[command(
        before_help = "Example: herdctl forget kiwi.cs.ucla.edu",
        after_help = "For a location with a time far in the future, which nothing can replace. The servers' protocol has no word for it: a server that cannot be reached now (paused, hung) still knows, and tells the others when it comes back; so do an archive on disk and a bus. The answer says what may bring it back; then forget once more. Where each server is a process of its own, all of them are told. A client that nobody knows is forgotten already: that succeeds and changes nothing.",
        help_template = TEMPLATE
    )]
    Forget(Forget),
    /// Wait until the herd is as you want it
    #[command(
        before_help = "Example: herdctl wait --converged --timeout 2s",
        after_help = "Fails with 7 after --timeout (10s), and says what is missing. --converged: all running servers know the same. --event: answers with the event; without --since, only what happens from now on counts. herdctl events --help names the kinds.",
        help_template = TEMPLATE
    )]
    Wait(Wait),
    /// Show the whole herd on the terminal, and break it by single keys
    #[command(
        before_help = "Example: herdctl top",
        after_help = "Servers, links and their faults, rates and latencies, a map of the clients, the topology, events as they happen and the logs; what is too much for the terminal takes turns. ? names the keys. Keys that kill, cut or heal ask first, unless --no-confirm is given or ! was pressed. Leaving it leaves the herd up. Needs a terminal; elsewhere: herdctl ps --watch.",
        help_template = TEMPLATE
    )]
    Top(Top),
    /// Serve a page that shows the herd in a browser
    #[command(
        before_help = "Example: herdctl dash --open",
        after_help = "The running herd serves it from now on, on 127.0.0.1 only: topology, floods hop by hop in slow motion, a map of the clients, events and logs, and buttons that kill, cut and heal, each with the command that does the same. The address holds a token, made anew at each up, that is as good as a key to the herd.",
        help_template = TEMPLATE
    )]
    Dash(Dash),
    /// Show the logs of the servers, merged in the order of events
    #[command(
        before_help = "Example: herdctl logs Clark Bona -f",
        after_help = "Reads the files, so it works with no herd running. The herd's own log is called herd. -n counts records of the merged output. Times are UTC. -f goes on through kill, start, rotation and a new up. Links that say only that they live are left out unless --heartbeats is given; they are in the files. Where each server is a process of its own, each numbers its own records: those of one process keep their order, those of several go by time, and what a process logs beside its server is called Clark/herd. Processes whose files are on other hosts are asked at their control addresses; who cannot be asked is said in its place.",
        help_template = TEMPLATE
    )]
    Logs(Logs),
    /// Show what happens in the herd, as it happens
    #[command(
        before_help = "Example: herdctl events --kind server,link --since 5m",
        after_help = "All events of all servers are in their one true order: a number rises from line to line. --since shows what has been and goes on; what is not kept any more, or came faster than it could be read, is a stated gap. --flood adds a line for every hop of every report, which costs the servers something as long as somebody reads it.\n\nWhere each server is a process of its own, each counts for itself: a line has the name of the process whose number it is, keeps that process's order, and goes between those of others by time. --since takes a time then. A process that cannot be asked is a stated gap and taken up again when it can; the stream ends when none runs any more.\n\nKinds: herd, server, link, fault, places, client, flood, or one of a family: link.down.",
        help_template = TEMPLATE
    )]
    Events(Events),
    /// Tell a server where a client is
    #[command(
        before_help = "Example: herdctl iamat kiwi.cs.ucla.edu +34.068930-118.445127 --to Clark",
        after_help = "The answer is the server's own bytes; on stderr, who answered and how fast.",
        help_template = TEMPLATE
    )]
    Iamat(Iamat),
    /// Ask a server what is near a client
    #[command(
        before_help = "Example: herdctl whatsat kiwi.cs.ucla.edu 10 5 --to Bailey",
        after_help = "With --json: {\"schema\":\"herd.whatsat/1\",\"server\":…,\"at\":{…},\"places\":[…]}. A client that the server has not heard of is answered `? …`: exit code 8.",
        help_template = TEMPLATE
    )]
    Whatsat(Whatsat),
    /// Send lines to a server as they are
    #[command(
        before_help = "Example: herdctl send Clark 'IAMAT kiwi +34.07-118.45 1621464827.9'",
        after_help = "Sends the LINEs, or standard input; on a terminal it asks for lines until Ctrl-D. An answer that starts with `? ` makes the exit code 8.",
        help_template = TEMPLATE
    )]
    Send(Send),
    /// Load the running herd and measure it
    #[command(
        before_help = "Example: herdctl bench --rate 20000 --fail-if 'p99>5ms'",
        after_help = "Without --rate each connection keeps --depth commands in flight. With it commands are due at fixed moments, and latencies count from those, so a herd that stands still is not flattered. Convergence is a probe a moment, said at the first server loaded and asked for at all others until the last has answered with it: too long by one round trip at most. All clocks are the bench's own. Clients called bench-… stay in the herd's memory. --fail-if takes p50, p90, p99, p99.9 or max of iamat, whatsat or convergence (whatsat.p99>1s), and throughput<N; exit code 8.",
        help_template = TEMPLATE
    )]
    Bench(Bench),
    /// Break the herd on purpose, and judge what it promised
    #[command(
        before_help = "Example: herdctl chaos --own --for 10s",
        after_help = "Clients talk to the servers over TCP while a schedule drawn from --seed is done to them; then all is healed, and what was answered is held against what is promised. The seed is always printed; it gives the same schedule again, not the same timing. Ctrl-C ends it early: it heals and judges what there is. Exit code 8: a promise was broken.",
        help_template = TEMPLATE
    )]
    Chaos(Chaos),
    /// Play a scenario of faults and expectations from a file
    #[command(
        before_help = "Example: herdctl play --own tests/scenarios/a-partition-heals.toml",
        after_help = "A scenario is TOML: [[step]] after [[step]], each with `at` (a time from the beginning), `do` (a command, as it is typed after herdctl) and `expect` (what must be so then). All mistakes of a file are shown before anything is done. The first step that is not as expected ends the play; whatever happens, everything is mended and healed afterwards. Exit code 8 if something was not as expected.",
        help_template = TEMPLATE
    )]
    Play(Play),
    /// Check a herd.toml and do nothing else
    #[command(
        before_help = "Example: herdctl check --places",
        after_help = "With --places one question goes to the provider of [places], which may bill it: does it answer, and if not, what is in the way? Exit code 5 if the herd could not come up, 8 if the provider does not answer.",
        help_template = TEMPLATE
    )]
    Check(Check),
    /// Write a commented herd.toml with five servers
    #[command(
        before_help = "Example: herdctl init my-herd --servers 100 --topology random",
        after_help = "An update takes 2L - (N - 1) lines between N servers with L links, and as many hops as the last server is away. At 100 servers and degree 4: random 301 lines, 8 hops at most; small-world 301, 13; tree 99, 8, and a lost link makes islands; full 9,801, 1.",
        help_template = TEMPLATE
    )]
    Init(Init),
    /// Write a script that completes commands in your shell
    #[command(
        before_help = "Example: herdctl completions fish | source",
        after_help = "bash, zsh or fish. Servers complete with the names of the running herd, or of herd.toml.",
        help_template = TEMPLATE
    )]
    Completions(Completions),
    /// Write the manual pages
    #[command(
        before_help = "Example: herdctl man ~/.local/share/man/man1 && man herdctl",
        after_help = "A page for each command and herd.toml(5), into DIR; without DIR, herdctl(1) to standard output.",
        help_template = TEMPLATE
    )]
    Man(Man),
    /// Stand in for Google Places on this machine
    #[command(
        before_help = "Example: herdctl fake-places --scenario quota",
        after_help = "Answers like both interfaces of Google Places, with places that do not exist, on loopback only, until Ctrl-C. Any key will do. See how a herd copes with a provider that refuses, limits, fails or hangs.",
        help_template = TEMPLATE
    )]
    FakePlaces(FakePlaces),
    /// Show the version of herdctl and of the running herd
    #[command(before_help = "Example: herdctl version --json", help_template = TEMPLATE)]
    Version,
    /// Explain a command, the exit codes, the JSON or the faults
    #[command(before_help = "Example: herdctl help exit-codes", help_template = TEMPLATE)]
    Help(Help),
    /// The servers' names, for completions.
    #[command(name = "__names", hide = true)]
    Names,
    /// The detached supervisor; `up -d` runs it.
    #[command(name = "__supervise", hide = true)]
    Supervise(Up),
}

#[derive(Debug, Args)]
pub struct Help {
    /// A command, exit-codes, json or faults
    #[arg(value_name = "COMMAND|TOPIC")]
    pub topic: Option<String>,
}
