//! The one integration binary: one link step, and this index.
//!
//! | module | what it shows |
//! |---|---|
//! | [`archive`] | what outlives a herd: archives, full and damaged ones, and answers that were never lost |
//! | [`attacks`] | those who mean harm, over real sockets: none passes, and nobody is the worse for it |
//! | [`bus`] | herds joined by a real nats-server: killed, empty, absent; what is put into it by others |
//! | [`canary`] | the key that no test may ever see, and that it would be seen |
//! | [`commands`] | the real binary as a person or a script meets it; every exit code |
//! | [`config`] | every mistake in a herd.toml, with the text that a person sees |
//! | [`dash`] | the dashboard: who is let in, and the page in a real browser |
//! | [`deploy`] | the examples of deployments: hosts in network namespaces, a systemd unit, Kubernetes, an image |
//! | [`dialogue`] | one server over real TCP: what a client says, byte for byte what it gets |
//! | [`failures`] | kill, start, pause, panic, silence, crowds, slow readers |
//! | [`faults`] | links that are cut, late, lossy, slow; partitions; a power cut; what is forgotten |
//! | [`flooding`] | a herd of real servers: every update reaches every server, and catches up |
//! | [`fuzz`] | bytes that nobody should send, against everything that reads bytes |
//! | [`losses`] | how many answered updates a kill loses; shared with the bench of that name |
//! | [`hosts`] | five hosts in five folders, for the tests of what servers in processes of their own share |
//! | [`judge`] | `herdctl chaos`: a herd that is right holds, and each herd that lies is found out |
//! | [`namespaces`] | hosts with a network of their own: processes, cables and firewalls fail, and the herd is as threads are |
//! | [`nats`] | a nats-server that can be killed; shared with the bench of the bus |
//! | [`places`] | the embedded places against samples, counts and brute force |
//! | [`places_commands`] | the real binary with a live provider: check, the fake, ps in trouble, and no key anywhere |
//! | [`places_file`] | the user's own places: every format, what is left out, and what is refused |
//! | [`places_google`] | the live provider against a fake on loopback: every way to answer and to fail |
//! | [`places_server`] | a server with a live provider: answers, logs, what it shows, and that nothing stands still |
//! | [`play`] | scenarios: those that come with the program hold, and what is said of others |
//! | [`readme`] | every session of the README, run as written |
//! | [`simulation`] | whole herds from a seed, without sockets: every fault, archives, colliding times |
//! | [`supervisor`] | the herd with stand-ins for its servers: states, orders, readiness, the den, signals, detaching |
//! | [`schemas`] | every JSON document against the schema of it that is checked in |
//! | [`secret`] | where the herd's secret comes from, who must have one, and changing it while the herd runs |
//! | [`serve`] | `herdctl serve`: five real processes of one herd.toml, killed, restarted, level again |
//! | [`tls`] | certificates at both ends of a link: what is taken, what is refused and why, and that all holds as without |
//! | [`topologies`] | what an update costs in herds of any shape: formulas, a model and the protocol agree |
//! | [`watching`] | what a person watches: events, logs at full speed, metrics, `--watch` |
//! | [`terminal`] | `top`, `ps --watch` and `logs -f` in a real terminal: what it shows, and that it is given back |
//! | [`tidy`] | the laws of the house that a test can keep |
//! | [`support`] | a herd of real servers in this process, clients, and waiting with a deadline |

mod archive;
mod attacks;
mod bus;
mod canary;
mod commands;
mod config;
mod dash;
mod deploy;
mod dialogue;
mod failures;
mod faults;
mod flooding;
mod fuzz;
mod hosts;
mod judge;
mod losses;
mod namespaces;
mod nats;
mod places;
mod places_commands;
mod places_file;
mod places_google;
mod places_server;
mod play;
mod readme;
mod schemas;
mod secret;
mod serve;
mod simulation;
mod supervisor;
mod support;
mod terminal;
mod tidy;
mod tls;
mod topologies;
mod watching;
