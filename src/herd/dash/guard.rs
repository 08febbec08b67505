//! Who may ask the dashboard what. Every request passes here before anything reads it.
//!
//! A page of another site can make a browser send requests to loopback; by rebinding its own name to 127.0.0.1 it can
//! even read the answers. So the `Host` must be ours, port included; where a request came from, if it says so, must
//! be our page; and all but the page itself wants the token, which no other site and no other user of this machine
//! has. There are no cookies, which any server on this host could see, and no CORS headers.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;

use super::super::api::{Failure, Kind};
use super::page;

/// 128 bits, in hexadecimal digits.
const TOKEN_BYTES: usize = 16;
const TOKEN_HEADER: &str = "x-herd-token";
const SITE_HEADER: &str = "sec-fetch-site";

/// What the page may load and where it may be shown: nothing but its own, nowhere but by itself.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// On every answer, refusals too.
const ARMOUR: [(HeaderName, &str); 7] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    (CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// What a request is held against.
#[derive(Debug)]
pub struct Guard {
    pub port: u16,
    full: String,
    read_only: String,
}

type Refusal = (StatusCode, &'static str);

/// Lets a request through, or answers it.
pub async fn guard(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    match guard.check(request.method(), request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

/// Adds what every answer has.
pub async fn armoured(mut response: Response) -> Response {
    for (name, value) in ARMOUR {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

impl Guard {
    /// Two new tokens.
    ///
    /// # Errors
    ///
    /// [`Kind::Failed`] if the system has no random bytes.
    pub fn new(port: u16) -> Result<Self, Failure> {
        Ok(Self { port, full: token()?, read_only: token()? })
    }

    /// Where the page is. The token stands in the fragment, which no browser sends anywhere.
    pub fn url(&self, read_only: bool) -> String {
        let (name, token) = if read_only { ("look", &self.read_only) } else { ("t", &self.full) };
        format!("http://127.0.0.1:{}/#{name}={token}", self.port)
    }

    fn check(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        self.check_host(uri, headers)?;
        check_origin(headers)?;
        let is_page = page::is_part(uri.path());
        // Anybody may have a link to the page, which without the token shows nothing; the rest is the page's alone.
        if !(is_page || is_own_site(headers)) {
            return Err((StatusCode::FORBIDDEN, "another site may ask nothing here\n"));
        }
        if is_page && method == Method::GET {
            return Ok(());
        }
        self.check_token(method, uri.path(), headers)?;
        if method != Method::GET && !is_json(headers) {
            return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "orders are application/json\n"));
        }
        Ok(())
    }

    /// A name that somebody made point here is none of ours, whatever it points to.
    fn check_host(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        let is_ours = |host: &str| {
            host.strip_prefix("127.0.0.1:")
                .or_else(|| host.strip_prefix("localhost:"))
                .is_some_and(|port| port == self.port.to_string())
        };
        let mut hosts = headers.get_all(HOST).iter().map(|host| host.to_str().unwrap_or_default());
        let (first, second) = (hosts.next(), hosts.next());
        let says_otherwise = uri.authority().is_some_and(|authority| !is_ours(authority.as_str()));
        if first.is_some_and(is_ours) && second.is_none() && !says_otherwise {
            return Ok(());
        }
        Err((StatusCode::FORBIDDEN, "no host of this name\n"))
    }

    fn check_token(&self, method: &Method, path: &str, headers: &HeaderMap) -> Result<(), Refusal> {
        let said = headers.get(TOKEN_HEADER).map(HeaderValue::as_bytes).unwrap_or_default();
        if is_same(said, &self.full) {
            return Ok(());
        }
        if !is_same(said, &self.read_only) {
            return Err((StatusCode::UNAUTHORIZED, "this needs the token of: herdctl dash\n"));
        }
        if method == Method::GET || path == "/v1/whereis" {
            return Ok(());
        }
        Err((StatusCode::FORBIDDEN, "this token lets its holder look, and change nothing\n"))
    }
}

/// Whose page asks, where a browser says so: it must be the one that the `Host` names, which was looked at before.
fn check_origin(headers: &HeaderMap) -> Result<(), Refusal> {
    let host = headers.get(HOST).map(HeaderValue::as_bytes).unwrap_or_default();
    let is_ours = |origin: &HeaderValue| origin.as_bytes().strip_prefix(b"http://") == Some(host);
    if headers.get_all(ORIGIN).iter().all(is_ours) {
        return Ok(());
    }
    Err((StatusCode::FORBIDDEN, "another site may ask nothing here\n"))
}

fn is_own_site(headers: &HeaderMap) -> bool {
    headers.get_all(SITE_HEADER).iter().all(|site| site == "same-origin" || site == "none")
}

/// A form of another site can say anything but this without asking first.
fn is_json(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind == "application/json")
}

/// Takes as long whatever is said, so that nobody can guess a token piece by piece.
fn is_same(said: &[u8], token: &str) -> bool {
    said.ct_eq(token.as_bytes()).into()
}

fn token() -> Result<String, Failure> {
    let mut bytes = [0; TOKEN_BYTES];
    getrandom::fill(&mut bytes)
        .map_err(|why| Failure::new(Kind::Failed, format!("no random bytes for a token: {why}")))?;
    Ok(bytes.iter().fold(String::new(), |mut digits, byte| {
        // A string takes all that is written into it.
        let _ = write!(digits, "{byte:02x}");
        digits
    }))
}

#[cfg(test)]
mod tests;
