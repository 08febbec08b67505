//! The `[tls]` part of herd.toml: where the certificates are by which servers know each other.
//!
//! Nothing is read from those files here; that a server's name can stand in a certificate is proven.

use std::ops::Range;
use std::path::{Path, PathBuf};

use rustls::pki_types::DnsName;

use super::Server;
use super::fields::{Field, Fields, Text};
use super::mistakes::{Found, Kind, quoted};

/// What stands for the server's name.
const PLACE: &str = "{server}";

/// `[tls]`: links are TLS 1.3, with certificates at both ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// PEM: the certificates of all authorities that are trusted; absolute.
    pub authority: PathBuf,
    certificate: PerServer,
    key: PerServer,
    name: String,
}

/// A path in which a server's name may stand.
#[derive(Debug, Clone, PartialEq, Eq)]
struct PerServer {
    folder: PathBuf,
    text: String,
}

impl Tls {
    /// PEM: the certificate of this server and those between it and the authority, in this order; absolute.
    #[must_use]
    pub fn certificate_of(&self, server: &str) -> PathBuf {
        self.certificate.of(server)
    }

    /// PEM: the key of that certificate; absolute.
    #[must_use]
    pub fn key_of(&self, server: &str) -> PathBuf {
        self.key.of(server)
    }

    /// The DNS name that must be among those of this server's certificate, in any case.
    #[must_use]
    pub fn name_of(&self, server: &str) -> DnsName<'static> {
        DnsName::try_from(self.name.replace(PLACE, server)).expect("proven for all servers of the herd")
    }
}

impl PerServer {
    fn of(&self, server: &str) -> PathBuf {
        self.folder.join(self.text.replace(PLACE, server))
    }
}

/// `None` if there is no such table, or something in it is missing or wrong. `servers` are those of the herd.
pub(super) fn tls(file: &mut Fields<'_>, folder: &Path, servers: &[Server]) -> Option<Tls> {
    let table = file.get("tls")?;
    let mut tls = table.table("[tls]", "a table, whose keys stand below a line `[tls]`")?;
    let authority = tls.need("authority", "authority = \"tls/authority.pem\"").and_then(|field| field.path());
    let certificate = tls.need("certificate", "certificate = \"tls/{server}.pem\"");
    let certificate = certificate.and_then(|field| per_server(&field, folder));
    let key = tls.need("key", "key = \"tls/{server}.key\"").and_then(|field| per_server(&field, folder));
    let name = tls.get("name");
    let place = name.as_ref().map_or(table.key.clone(), Field::value_span);
    let name = name.map_or(Some(PLACE), |field| field.text().map(|Text { text, .. }| text));
    tls.close();
    let name = name.filter(|name| servers.iter().all(|server| can_be_certified(name, server, &place, &table)))?;
    Some(Tls { authority: folder.join(authority?), certificate: certificate?, key: key?, name: name.to_owned() })
}

fn per_server(field: &Field<'_>, folder: &Path) -> Option<PerServer> {
    let text = field.path()?;
    if text.replace(PLACE, "").contains(['{', '}']) {
        let found = Found::new(Kind::NotAPath, field.value_span(), format!("{} is no path", quoted(text)));
        field.notes.add(found.label(format!("only `{PLACE}` stands between braces, for the server's name")));
        return None;
    }
    Some(PerServer { folder: folder.to_owned(), text: text.to_owned() })
}

fn can_be_certified(pattern: &str, server: &Server, place: &Range<usize>, table: &Field<'_>) -> bool {
    let name = pattern.replace(PLACE, &server.name);
    let can = DnsName::try_from(name.as_str()).is_ok();
    if !can {
        let message = format!("{} is no DNS name, so no certificate can be for it", quoted(&name));
        table.notes.add(
            Found::new(Kind::NotAName, place.clone(), message)
                .label(format!("the name of {} in its certificate", quoted(&server.name)))
                .help("letters, digits, - and _, not digits alone, as in `Clark` or name = \"{server}.example.org\""),
        );
    }
    can
}
