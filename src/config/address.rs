//! Where something is reached: an IP address and a port, or a host name that is looked up anew each time, for the
//! addresses behind some names change.
//!
//! What this machine listens on is always an IP address; a name can only be where others reach it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use super::fields::{Field, Text};
use super::mistakes::{Found, Kind, quoted};

/// Where a server, or its control channel, is reached.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    Ip(SocketAddr),
    /// To be looked up at each use. The name is one that DNS can have (RFC 1123).
    Name {
        host: String,
        port: u16,
    },
}

impl Address {
    #[must_use]
    pub fn port(&self) -> u16 {
        match self {
            Self::Ip(address) => address.port(),
            Self::Name { port, .. } => *port,
        }
    }

    pub fn set_port(&mut self, to: u16) {
        match self {
            Self::Ip(address) => address.set_port(to),
            Self::Name { port, .. } => *port = to,
        }
    }

    /// The address, where it is none that must be looked up.
    #[must_use]
    pub fn ip(&self) -> Option<SocketAddr> {
        match self {
            Self::Ip(address) => Some(*address),
            Self::Name { .. } => None,
        }
    }

    /// Whether it can only be on this machine. Of a name nobody can tell, but of one (RFC 6761, 6.3).
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Ip(address) => is_loopback(address.ip()),
            Self::Name { host, .. } => host.eq_ignore_ascii_case("localhost"),
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Ip(address)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => write!(f, "{address}"),
            Self::Name { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

/// Whether only this machine reaches it.
#[must_use]
pub fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

/// An IP address and a port, for what is listened on.
pub(super) fn ip_of(field: &Field<'_>) -> Option<(SocketAddr, Range<usize>)> {
    let text = field.text()?;
    let address = text.text.parse().ok();
    if address.is_none() {
        note(field, &text, flaw(text.text, false), "an IP address and a port, such as `127.0.0.1:11003`");
    }
    Some((address?, text.span))
}

/// An IP address or a host name, and a port, for what is reached.
pub(super) fn address_of(field: &Field<'_>) -> Option<(Address, Range<usize>)> {
    let text = field.text()?;
    let address = text.text.parse().ok().map(Address::Ip).or_else(|| named(text.text));
    if address.is_none() {
        note(field, &text, flaw(text.text, true), "an IP address and a port, such as `127.0.0.1:11003`");
    }
    Some((address?, text.span))
}

fn named(text: &str) -> Option<Address> {
    let (host, port) = text.rsplit_once(':')?;
    let is_number = !port.is_empty() && port.bytes().all(|digit| digit.is_ascii_digit());
    let port = port.parse().ok().filter(|_| is_number)?;
    is_host_name(host).then(|| Address::Name { host: host.to_owned(), port })
}

/// Labels of letters, digits, `-` and `_`, with points between; the last is not a number, or it would be taken for part
/// of an IP address.
fn is_host_name(host: &str) -> bool {
    const LABEL_MAX: usize = 63;
    const NAME_MAX: usize = 253;
    let is_label = |label: &str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=LABEL_MAX).contains(&label.len()) && label.bytes().all(is_plain) && !label.starts_with('-')
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    let last = host.rsplit('.').next().unwrap_or_default();
    host.len() <= NAME_MAX && host.split('.').all(is_label) && !last.bytes().all(|byte| byte.is_ascii_digit())
}

fn note(field: &Field<'_>, Text { text, span }: &Text<'_>, flaw: Flaw, example: &str) {
    let found = Found::new(Kind::NotAnAddress, span.clone(), format!("{} is no address", quoted(text)));
    field.notes.add(found.label(flaw.label).help(flaw.help.unwrap_or_else(|| example.to_owned())));
}

/// What is wrong with an address, and what would be right if that is not plain.
struct Flaw {
    label: &'static str,
    help: Option<String>,
}

impl From<&'static str> for Flaw {
    fn from(label: &'static str) -> Self {
        Self { label, help: None }
    }
}

fn flaw(text: &str, may_be_name: bool) -> Flaw {
    if let Ok(ip) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
        let help = Some(format!("for example `{}`", SocketAddr::new(ip, 11003)));
        return Flaw { label: "the port is missing", help };
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return if may_be_name && is_host_name(text) && text.contains('.') {
            Flaw { label: "the port is missing", help: Some(format!("for example `{text}:11003`")) }
        } else {
            "neither an IP address nor a port".into()
        };
    };
    if port.is_empty() || !port.bytes().all(|digit| digit.is_ascii_digit()) {
        "the port is not a number".into()
    } else if port.parse::<u16>().is_err() {
        "the port is past 65535".into()
    } else if host.eq_ignore_ascii_case("localhost") {
        Flaw { label: "a host name cannot be listened on", help: Some(format!("write `127.0.0.1:{port}`")) }
    } else if !may_be_name && is_host_name(host) {
        "a host name cannot be listened on".into()
    } else {
        "not an IP address".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_name_is_what_dns_can_have_and_no_number() {
        for fine in ["clark-0.herd:11003", "localhost:1", "a_b.example.org.:65535", "7.example:7"] {
            assert_eq!(named(fine).map(|address| address.to_string()).as_deref(), Some(fine));
        }
        for wrong in ["1.2.3:4", "10.0.0.256:4", "-a:4", "a..b:4", ":4", "a:", "a:+4", "a:65536", "a b:4", "[::1:4"] {
            assert_eq!(named(wrong), None, "{wrong}");
        }
        assert_eq!(named(&format!("{}:4", "a".repeat(64))), None);
    }
}
