//! TLS 1.3 with certificates at both ends: from the files that `[tls]` names to what rustls wants, and from its errors
//! to a person's words.
//!
//! Whoever loads a server's certificate finds out at once what a neighbour would find out later: it is from the
//! authority, for that server's name, for both sides of a connection, and its time has begun and has not ended.
//! No session is resumed: a neighbour shows its certificate at every connection.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::version::TLS13;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, Error, InvalidMessage, PeerIncompatible, RootCertStore,
    ServerConfig,
};

use crate::config;
use crate::keyfile;
use crate::limits::PEM_BYTES_MAX;

/// By what one server knows its neighbours, and they know it.
#[derive(Clone)]
pub struct Tls {
    files: Arc<config::Tls>,
    server: Arc<str>,
    pem: Arc<Pem>,
    /// For connections that it accepts: whoever connects must show a certificate of the authority. Whether it is that
    /// of the server it claims to be is for [`is_for`] to say.
    pub accepting: Arc<ServerConfig>,
    /// For connections of commands on other hosts: whoever connects shows something else than a certificate.
    pub serving: Arc<ServerConfig>,
    /// For connections that it makes, to a server by its name in its certificate.
    pub dialling: Arc<ClientConfig>,
    /// When its own certificate ends, in seconds since 1970.
    pub ends: u64,
}

/// What is in the files, byte for byte.
#[derive(PartialEq, Eq)]
struct Pem {
    authority: Vec<u8>,
    certificate: Vec<u8>,
    key: Vec<u8>,
}

/// Why the files of `[tls]` cannot be used: which one, and what is wrong with it.
#[derive(Debug)]
pub struct Flaw {
    pub path: PathBuf,
    pub what: What,
}

#[derive(Debug)]
pub enum What {
    Unread(keyfile::Flaw),
    /// No PEM with a certificate in it.
    NoCertificate,
    /// No PEM with a key in it, or a key of a kind that is not known.
    NoKey,
    /// The key is that of another certificate.
    OtherKey,
    /// Its neighbours would refuse it.
    Refused(Error),
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path.display())?;
        match &self.what {
            What::Unread(why) => write!(f, "{why}"),
            What::NoCertificate => write!(f, "it holds no certificate in PEM"),
            What::NoKey => write!(f, "it holds no private key in PEM that can be used"),
            What::OtherKey => write!(f, "it is not the key of the server's certificate"),
            What::Refused(why) => write!(f, "{}", words(why)),
        }
    }
}

impl std::error::Error for Flaw {}

impl Flaw {
    /// What a person can do, if that is more than obvious.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match &self.what {
            What::Unread(why) => why.hint(&self.path),
            _ => None,
        }
    }

    /// Whether there is no such file.
    #[must_use]
    pub fn is_absence(&self) -> bool {
        matches!(&self.what, What::Unread(why) if why.is_absence())
    }
}

impl Tls {
    /// What the files of this server say.
    ///
    /// # Errors
    ///
    /// [`Flaw`]: a file cannot be read or used, or the server's neighbours would refuse its certificate.
    pub fn load(files: &config::Tls, server: &str) -> Result<Self, Flaw> {
        Self::of(Pem::read(files, server)?, Arc::new(files.clone()), server.into())
    }

    /// The same, if a file has changed since; nothing if none has.
    ///
    /// # Errors
    ///
    /// As [`Tls::load`].
    pub fn reload(&self) -> Result<Option<Self>, Flaw> {
        let pem = Pem::read(&self.files, &self.server)?;
        if pem == *self.pem {
            return Ok(None);
        }
        Self::of(pem, Arc::clone(&self.files), Arc::clone(&self.server)).map(Some)
    }

    /// The name that a server's certificate must be for.
    #[must_use]
    pub fn name_of(&self, server: &str) -> ServerName<'static> {
        ServerName::DnsName(self.files.name_of(server))
    }

    fn of(pem: Pem, files: Arc<config::Tls>, server: Arc<str>) -> Result<Self, Flaw> {
        let (certificate, key) = (files.certificate_of(&server), files.key_of(&server));
        let roots = Arc::new(roots(&pem.authority).ok_or_else(|| flaw(&files.authority, What::NoCertificate))?);
        let chain = certificates(&pem.certificate).ok_or_else(|| flaw(&certificate, What::NoCertificate))?;
        let unusable =
            |why| flaw(&key, if matches!(why, Error::InconsistentKeys(_)) { What::OtherKey } else { What::NoKey });
        let shown = PrivateKeyDer::from_pem_slice(&pem.key).map_err(|_| flaw(&key, What::NoKey))?;

        let accepting = ServerConfig::builder_with_provider(provider()).with_protocol_versions(&[&TLS13]);
        let accepting = accepting.expect("the provider knows TLS 1.3").with_client_cert_verifier(of_clients(&roots));
        let mut accepting = accepting.with_single_cert(chain.clone(), shown.clone_key()).map_err(unusable)?;
        accepting.send_tls13_tickets = 0;
        let serving = ServerConfig::builder_with_provider(provider()).with_protocol_versions(&[&TLS13]);
        let serving = serving.expect("the provider knows TLS 1.3").with_no_client_auth();
        let serving = serving.with_single_cert(chain.clone(), shown.clone_key()).map_err(unusable)?;
        let dialling = ClientConfig::builder_with_provider(provider()).with_protocol_versions(&[&TLS13]);
        let dialling = dialling.expect("the provider knows TLS 1.3").with_root_certificates(Arc::clone(&roots));
        let mut dialling = dialling.with_client_auth_cert(chain.clone(), shown).map_err(unusable)?;
        dialling.resumption = Resumption::disabled();

        let name = ServerName::DnsName(files.name_of(&server));
        let ends = prove(&roots, &chain, &name).map_err(|why| flaw(&certificate, What::Refused(why)))?;
        let (pem, accepting, dialling) = (Arc::new(pem), Arc::new(accepting), Arc::new(dialling));
        Ok(Self { files, server, pem, accepting, serving: Arc::new(serving), dialling, ends })
    }
}

impl Pem {
    fn read(files: &config::Tls, server: &str) -> Result<Self, Flaw> {
        let (certificate, key) = (files.certificate_of(server), files.key_of(server));
        let unread = |path: &Path| {
            let path = path.to_owned();
            move |why| Flaw { path, what: What::Unread(why) }
        };
        Ok(Self {
            authority: keyfile::read(&files.authority, PEM_BYTES_MAX).map_err(unread(&files.authority))?,
            certificate: keyfile::read(&certificate, PEM_BYTES_MAX).map_err(unread(&certificate))?,
            key: keyfile::read_secret(&key, PEM_BYTES_MAX).map_err(unread(&key))?,
        })
    }
}

fn flaw(path: &Path, what: What) -> Flaw {
    Flaw { path: path.to_owned(), what }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// The certificates in a PEM file; `None` if there is none, or one is broken.
fn certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().ok()?;
    (!found.is_empty()).then_some(found)
}

fn roots(pem: &[u8]) -> Option<RootCertStore> {
    let mut roots = RootCertStore::empty();
    certificates(pem)?.into_iter().try_for_each(|authority| roots.add(authority)).ok()?;
    Some(roots)
}

fn of_clients(roots: &Arc<RootCertStore>) -> Arc<dyn ClientCertVerifier> {
    WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), provider()).build().expect("there are roots")
}

/// Holds a server's certificate against what its neighbours will ask of it; says when it ends, in seconds since 1970.
fn prove(roots: &Arc<RootCertStore>, chain: &[CertificateDer<'_>], name: &ServerName<'_>) -> Result<u64, Error> {
    /// Past the last moment that a certificate can name (RFC 5280, 4.1.2.5).
    const NEVER: UnixTime = UnixTime::since_unix_epoch(Duration::from_secs(253_402_300_800));
    let (own, between) = chain.split_first().expect("there is a certificate");
    let of_servers = WebPkiServerVerifier::builder_with_provider(Arc::clone(roots), provider()).build();
    let of_servers = of_servers.expect("there are roots");
    of_servers.verify_server_cert(own, between, name, &[], UnixTime::now())?;
    of_clients(roots).verify_client_cert(own, between, UnixTime::now())?;
    match of_servers.verify_server_cert(own, between, name, &[], NEVER) {
        Err(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => Ok(not_after.as_secs()),
        _ => Ok(NEVER.as_secs()),
    }
}

/// Why a handshake failed, of whoever is at the other end; of a certificate, what is wrong with it.
#[must_use]
pub fn words(why: &Error) -> String {
    match why {
        Error::InvalidCertificate(why) => of_certificate(why),
        Error::NoCertificatesPresented => "it shows no certificate".into(),
        Error::PeerIncompatible(
            PeerIncompatible::SupportedVersionsExtensionRequired
            | PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled,
        )
        | Error::AlertReceived(AlertDescription::ProtocolVersion) => "it does not speak TLS 1.3".into(),
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => "it does not speak TLS".into(),
        Error::AlertReceived(alert) => of_alert(*alert),
        other => format!("TLS: {other}"),
    }
}

fn of_certificate(why: &CertificateError) -> String {
    let at = |time: &UnixTime| moment(time.as_secs());
    match why {
        CertificateError::ExpiredContext { not_after, .. } => format!("its certificate ended at {}", at(not_after)),
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("its certificate is valid only from {}", at(not_before))
        }
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "its certificate is not from the authority in [tls]".into()
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            format!("its certificate is for {}, not for {}", names(presented), expected.to_str())
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "its certificate is not for both serverAuth and clientAuth (extendedKeyUsage)".into()
        }
        other => format!("its certificate cannot be used: {other}"),
    }
}

/// Seconds since 1970 as a moment.
#[must_use]
pub fn moment(seconds: u64) -> jiff::Timestamp {
    i64::try_from(seconds).ok().and_then(|second| jiff::Timestamp::from_second(second).ok()).unwrap_or_default()
}

/// The names in a certificate, as rustls tells them: `DnsName("Clark")`.
fn names(presented: &[String]) -> String {
    const SHOWN: usize = 3;
    let bare = |name: &String| {
        let name = name.strip_prefix("DnsName(\"").and_then(|name| name.strip_suffix("\")")).unwrap_or(name);
        name.escape_default().take(64).collect::<String>()
    };
    match presented {
        [] => "nobody".into(),
        some => some.iter().take(SHOWN).map(bare).collect::<Vec<_>>().join(", "),
    }
}

/// What the other end says of this one.
fn of_alert(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::CertificateExpired => "it says that our certificate has ended, or has not begun".into(),
        // The second of an authority that has the name, and not the key, of the one that is trusted.
        AlertDescription::UnknownCA | AlertDescription::DecryptError => {
            "it does not trust the authority of our certificate".into()
        }
        AlertDescription::CertificateRequired => "it wants to see a certificate".into(),
        AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnsupportedCertificate => "it refused our certificate; its log says why".into(),
        other => format!("it broke off TLS: {other:?}"),
    }
}

/// Whether this certificate, which was shown and verified, is for that name.
///
/// # Errors
///
/// What it is for instead.
pub fn is_for(certificate: &CertificateDer<'_>, name: &ServerName<'_>) -> Result<(), Error> {
    let parsed = rustls::server::ParsedCertificate::try_from(certificate)?;
    rustls::client::verify_server_name(&parsed, name)
}
