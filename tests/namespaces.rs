//! Five hosts behave in every failure as five threads do: each server is a `herdctl serve` on a host of its own, a network
//! namespace, and what fails is a real process, a real cable or a real firewall.
//!
//! Each test here has the words and the limits of its counterpart in `failures.rs` or `faults.rs`. Those have none:
//!
//! | there | why not here |
//! |---|---|
//! | a panic ends one server and only that | nobody outside can make a process panic; dead, it is one that was killed |
//! | clients that do not read, read slowly, are idle; a time far in the future | it is between one server and its client: the same on one host |
//! | a neighbour that breaks the protocol, a listener that cannot prove itself, a hello that never ends | it is what one end says, the same over any wire |
//! | reports that are lost alone, repeated or mixed up, and the seed of it | TCP does not let a network do that; packets are lost here |
//! | delays | Linux delays packets only where it has netem; `deploy/hosts.sh` does, there |
//! | faults that outlive a kill, a closed cut | they are the program's own; a firewall, which refuses here, is always outside |
//! | what servers know and forget | no failure |
//!
//! Without the rights, or without `ip` and `nft`, these tests say so and are left out.

mod answers;
mod herd;
mod links;
mod network;
mod orders;
mod processes;
mod strangers;
