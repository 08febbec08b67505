//! The `[control]` part of herd.toml, and the addresses of servers' control channels: what commands on other hosts show,
//! and that nobody on the way sees it.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::Server;
use super::address::is_loopback;
use super::fields::Fields;
use super::mistakes::{Found, Kind, quoted};

/// What people call the secret that must not stand here.
const KEYS_OF_NOBODY: [&str; 3] = ["token", "secret", "password"];

/// `[control]`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Control {
    /// The file that holds the token of all control addresses, absolute; `None`: the environment does.
    pub token_file: Option<PathBuf>,
}

/// `named` are the servers that have a control address, and where it stands.
pub(super) fn control(
    file: &mut Fields<'_>,
    folder: &Path,
    servers: &[Server],
    named: &[(usize, Range<usize>)],
    has_tls: bool,
) -> Control {
    let mut control = file.table("control", "[control]");
    for key in KEYS_OF_NOBODY {
        if let Some(field) = control.refuse(key) {
            field.notes.hide(field.value_span());
            field.notes.add(
                Found::new(Kind::SecretInFile, field.key.clone(), "the token does not stand in herd.toml")
                    .label("not shown")
                    .help("put it into a file that only you can read and name that: token_file = \"herd.token\""),
            );
        }
    }
    for (nth, span) in named {
        if let Some(found) = unfit(&servers[*nth], span, has_tls) {
            control.notes.add(found);
        }
    }
    let token_file = control.get("token_file").and_then(|field| field.path()).map(|path| folder.join(path));
    control.close();
    Control { token_file }
}

/// Why a control address cannot be used.
fn unfit(server: &Server, span: &Range<usize>, has_tls: bool) -> Option<Found> {
    let (listen, name) = (server.control_listen()?, quoted(&server.name));
    if listen.port() == 0 {
        let message = format!("the control channel of {name} would listen on any port");
        let found = Found::new(Kind::NoListen, span.clone(), message).label("port 0 is any port");
        return Some(found.help("whoever asks there must know it: give it a port"));
    }
    if has_tls || is_loopback(listen.ip()) {
        return None;
    }
    let found = Found::new(Kind::OpenControl, span.clone(), format!("the control channel of {name} is not encrypted"));
    Some(
        found
            .label("others could read the token on its way")
            .help("add a table `[tls]`; without it a control address is one of this machine alone"),
    )
}
