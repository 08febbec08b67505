//! One request to Google over HTTP, and what came back: a status and a bounded body.
//!
//! The only place that holds the key and an HTTP client together. The client belongs to one incarnation of a server:
//! its connections live on that server's runtime. It follows no redirect and sends no referer, for both would carry
//! the key away; requests and `reqwest` errors, which show URLs, never leave this file.

use reqwest::header::{CONTENT_TYPE, HeaderName};
use reqwest::{Certificate, Client, RequestBuilder, Url, redirect};
use tokio::sync::OnceCell;

use super::failure::Failure;
use super::legacy::Envelope;
use super::{legacy, new};
use crate::config::{self, FieldMask, Proxy};
use crate::limits;
use crate::places::key::Key;
use crate::places::{Circle, metres};

const NEW_ORIGIN: &str = "https://places.googleapis.com";
const LEGACY_ORIGIN: &str = "https://maps.googleapis.com";

/// Google as one server sees it.
#[derive(Debug)]
pub(super) struct Wire {
    key: Key,
    fields: FieldMask,
    /// Asked instead of Google.
    origin: Option<String>,
    proxy: Proxy,
    /// Made at the first request: it reads the machine's certificates, and nobody else needs them.
    client: OnceCell<Client>,
}

impl Wire {
    pub(super) fn new(settings: &config::Google, key: Key) -> Self {
        Self {
            key,
            fields: settings.fields,
            origin: settings.url.clone(),
            proxy: settings.proxy,
            client: OnceCell::new(),
        }
    }

    /// Asks Places API (New).
    pub(super) async fn ask_new(&self, circle: Circle) -> Result<Envelope, Failure> {
        let url = [self.origin.as_deref().unwrap_or(NEW_ORIGIN), new::PATH].concat();
        let request = self.client().await?.post(url);
        let request = request
            .header(CONTENT_TYPE, "application/json")
            .header(HeaderName::from_static("x-goog-api-key"), self.key.header())
            .header(HeaderName::from_static("x-goog-fieldmask"), new::mask(self.fields))
            .body(new::question(circle));
        let (status, body) = exchange(request).await?;
        new::read(&body, status)
    }

    /// Asks Places API (Legacy), which takes its key in the URL.
    pub(super) async fn ask_legacy(&self, circle: Circle) -> Result<Envelope, Failure> {
        let url = [self.origin.as_deref().unwrap_or(LEGACY_ORIGIN), legacy::PATH].concat();
        let request = self.client().await?.get(url).query(&[
            ("location", format!("{},{}", circle.lat, circle.lng).as_str()),
            ("radius", metres(circle.radius_km).to_string().as_str()),
            ("key", self.key.parameter()),
        ]);
        let (status, body) = exchange(request).await?;
        Envelope::read(body, status)
    }

    async fn client(&self) -> Result<&Client, Failure> {
        let make = || async {
            let (proxy, local) = (self.proxy, self.is_local());
            #[expect(clippy::disallowed_methods, reason = "it reads files, and a server must not wait for a disk")]
            let made = tokio::task::spawn_blocking(move || client(proxy, local));
            made.await.map_err(|_| Failure::NoClient)?
        };
        self.client.get_or_try_init(make).await
    }

    /// Whether what is asked is on this machine and not encrypted, as herd.toml may say.
    fn is_local(&self) -> bool {
        self.origin.as_deref().and_then(|origin| Url::parse(origin).ok()).is_some_and(|url| url.scheme() == "http")
    }
}

fn client(proxy: Proxy, local: bool) -> Result<Client, Failure> {
    let mut builder = Client::builder()
        .user_agent(concat!("herdctl/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .referer(false)
        .https_only(!local)
        .connect_timeout(limits::PLACES_CONNECT_MAX)
        .timeout(limits::PLACES_REQUEST_MAX);
    if local {
        // Nothing is encrypted, so nobody need be trusted; and a proxy would see the key.
        builder = builder.tls_certs_only(std::iter::empty::<Certificate>());
    }
    if local || proxy == Proxy::None {
        builder = builder.no_proxy();
    }
    builder.build().map_err(Failure::from)
}

async fn exchange(request: RequestBuilder) -> Result<(u16, Vec<u8>), Failure> {
    let mut response = request.send().await?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > limits::PLACES_BODY_BYTES_MAX {
            return Err(Failure::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok((response.status().as_u16(), body))
}
