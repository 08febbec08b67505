//! The way to a control address of another host: over TCP, inside TLS where herd.toml says so, with the token shown.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};

use super::Remote;
use crate::config::Address;
use crate::herd::api::{Failure, Kind};

/// Who cannot be connected to within this is not there.
const CONNECT_MAX: Duration = Duration::from_secs(2);

/// Leads every name to one address: the name in a URL is the one in the certificate.
struct Towards(Address);

impl Resolve for Towards {
    fn resolve(&self, _: Name) -> Resolving {
        let address = self.0.clone();
        Box::pin(async move {
            let found: Addrs = match address {
                Address::Ip(address) => Box::new(std::iter::once(address)),
                Address::Name { host, port } => {
                    Box::new(tokio::net::lookup_host((host, port)).await?.collect::<Vec<_>>().into_iter())
                }
            };
            Ok(found)
        })
    }
}

impl Remote {
    /// A client that shows the token, and where its paths begin.
    ///
    /// # Errors
    ///
    /// `bad_config`: the certificates that are trusted cannot be read.
    pub fn client(&self) -> Result<(reqwest::ClientBuilder, String), Failure> {
        let bad = |why: String| Failure::new(Kind::BadConfig, why);
        let mut token = HeaderValue::from_str(&self.token.shown()).map_err(|why| bad(why.to_string()))?;
        token.set_sensitive(true);
        let builder = reqwest::Client::builder()
            .no_proxy()
            .connect_timeout(CONNECT_MAX)
            .dns_resolver(Arc::new(Towards(self.at.clone())))
            .default_headers(HeaderMap::from_iter([(AUTHORIZATION, token)]));
        let port = self.at.port();
        let Some((name, authority)) = &self.tls else { return Ok((builder, format!("http://herd:{port}"))) };
        let unusable = |why: String| bad(format!("[tls] {}: {why}", authority.display()));
        let pem = fs::read(authority).map_err(|why| unusable(why.to_string()))?;
        let trusted = reqwest::Certificate::from_pem_bundle(&pem).map_err(|why| unusable(why.to_string()))?;
        let builder = builder.tls_certs_only(trusted).tls_version_min(reqwest::tls::Version::TLS_1_3);
        Ok((builder, format!("https://{name}:{port}")))
    }
}
