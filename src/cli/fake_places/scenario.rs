//! How the fake behaves: one word for each thing that has been seen to happen, or could.

use std::time::Duration;

use super::{Request, Step, bodies, circle};

/// Longer than anybody waits.
const FOR_EVER: Duration = Duration::from_secs(600);
const HTML: &str = "<!DOCTYPE html><html><title>502</title><h1>That\u{2019}s an error.</h1></html>";

/// Every way the fake behaves, by the word that names it on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Scenario {
    /// Twenty places
    Ok,
    /// Three places
    Few,
    /// No place
    Zero,
    /// Legacy in the style of 2019: arrays of words on one line
    OkOld,
    /// CRLF line ends and runs of empty lines
    Crlf,
    /// Twenty places, in chunks
    Chunked,
    /// The key is wrong: New 400 API_KEY_INVALID, Legacy REQUEST_DENIED
    Denied,
    /// The same, Legacy with HTTP 403
    Forbidden,
    /// New is not enabled (403 SERVICE_DISABLED), Legacy answers
    LegacyOnly,
    /// Legacy is not enabled, New answers
    NewOnly,
    /// Neither is enabled
    Disabled,
    /// Too many requests: New 429, Legacy OVER_QUERY_LIMIT
    Quota,
    /// The request is said to be wrong
    Invalid,
    /// Google fails: New 500, Legacy UNKNOWN_ERROR
    Unknown,
    /// HTTP 503
    Unavailable,
    /// HTTP 502 with a page of HTML
    BadGateway,
    /// JSON that ends too early
    Truncated,
    /// Fewer bytes than announced
    Short,
    /// A reset in the middle
    Reset,
    /// Nothing is ever said
    SlowHeaders,
    /// A byte a second
    SlowBody,
    /// 2 MiB
    Huge,
    /// HTTP 302 to another place
    Redirect,
}

impl Scenario {
    /// What is done to answer this request.
    pub(super) fn script(self, request: &Request) -> Vec<Step> {
        if let Some(refused) = refused(request) {
            return vec![refused];
        }
        let new = request.is_new();
        match self {
            Self::Few => vec![say(200, &places(request, 3))],
            Self::Zero => vec![say(200, &places(request, 0))],
            Self::OkOld => vec![say(200, &old_style(&places(request, 20)))],
            Self::Crlf => vec![say(200, &places(request, 20).replace('\n', "\r\n\r\n"))],
            Self::Chunked => chunked(&places(request, 20)),
            Self::Denied if new => vec![new_error(400, "INVALID_ARGUMENT", "API_KEY_INVALID")],
            Self::Denied => vec![legacy_error(200, "REQUEST_DENIED", "The provided API key is invalid.")],
            Self::Forbidden if new => vec![new_error(403, "PERMISSION_DENIED", "API_KEY_HTTP_REFERRER_BLOCKED")],
            Self::Forbidden => vec![legacy_error(403, "REQUEST_DENIED", "The provided API key is invalid.")],
            Self::LegacyOnly | Self::Disabled if new => {
                vec![new_error(403, "PERMISSION_DENIED", "SERVICE_DISABLED")]
            }
            Self::Ok | Self::LegacyOnly => vec![say(200, &places(request, 20))],
            Self::NewOnly if new => vec![say(200, &places(request, 20))],
            Self::NewOnly | Self::Disabled => {
                let message = "You're calling a legacy API, which is not enabled for your project.";
                vec![legacy_error(200, "REQUEST_DENIED", message)]
            }
            Self::Quota if new => vec![new_error(429, "RESOURCE_EXHAUSTED", "RATE_LIMIT_EXCEEDED")],
            Self::Quota => vec![legacy_error(200, "OVER_QUERY_LIMIT", "You have exceeded your daily request quota.")],
            Self::Invalid if new => vec![new_error(400, "INVALID_ARGUMENT", "FIELD_MASK_INVALID")],
            Self::Invalid => vec![legacy_error(200, "INVALID_REQUEST", "Invalid request.")],
            Self::Unknown if new => vec![new_error(500, "INTERNAL", "")],
            Self::Unknown => vec![legacy_error(200, "UNKNOWN_ERROR", "")],
            Self::Unavailable if new => vec![new_error(503, "UNAVAILABLE", "")],
            Self::Unavailable => vec![say(503, HTML)],
            Self::BadGateway => vec![say(502, HTML)],
            Self::Truncated => vec![say(200, &places(request, 20)[..1000])],
            Self::Short => vec![Step::Say(announced(200, 9999, "{\"places\":[")), Step::HangUp],
            Self::Reset => vec![Step::Say(announced(200, 9999, "{\"places\":[")), Step::Reset],
            Self::SlowHeaders => vec![Step::Wait(FOR_EVER)],
            Self::SlowBody => drip(&places(request, 20)),
            Self::Huge => vec![say(200, &format!("{{\"status\":\"OK\",\"x\":\"{}\"}}", "x".repeat(2 * 1024 * 1024)))],
            Self::Redirect => vec![redirect()],
        }
    }
}

/// What Google refuses whatever else is the case.
fn refused(request: &Request) -> Option<Step> {
    let known = match request.path.as_str() {
        "/v1/places:searchNearby" => request.is_new(),
        "/maps/api/place/nearbysearch/json" => request.method == "GET",
        _ => false,
    };
    if !known {
        return Some(say(404, "<html>404</html>"));
    }
    if request.is_new() {
        if request.header("x-goog-api-key").is_none() {
            return Some(new_error(403, "PERMISSION_DENIED", ""));
        }
        if request.header("x-goog-fieldmask").is_none() || circle(request).is_none() {
            return Some(new_error(400, "INVALID_ARGUMENT", "FIELD_MASK_REQUIRED"));
        }
        return None;
    }
    if request.parameter("key").is_none() {
        return Some(legacy_error(200, "REQUEST_DENIED", "You must use an API key to authenticate."));
    }
    circle(request).is_none().then(|| legacy_error(200, "INVALID_REQUEST", "Invalid request."))
}

fn places(request: &Request, count: usize) -> String {
    let Some(circle) = circle(request) else { return String::new() };
    if request.is_new() { bodies::new(circle, count) } else { bodies::legacy(circle, count) }
}

/// Google's style until 2021: an array of words on one line, and no space at the end of a line.
fn old_style(json: &str) -> String {
    let mut out = String::new();
    let mut words: Option<Vec<&str>> = None;
    for line in json.lines() {
        let (trimmed, bare) = (line.trim_end(), line.trim());
        match &mut words {
            Some(list) if bare.starts_with(']') => {
                out.push_str(&format!(" [ {} ]{}\n", list.join(" "), &bare[1..]));
                words = None;
            }
            Some(list) if bare.starts_with('"') => list.push(bare),
            Some(_) => {
                out.push_str(&format!(" [\n{trimmed}\n"));
                words = None;
            }
            None if bare == "[" => words = Some(Vec::new()),
            None if bare.ends_with(" :") => out.push_str(trimmed),
            None if bare == "{" && out.ends_with(" :") => out.push_str(" {\n"),
            None => out.push_str(&format!("{trimmed}\n")),
        }
    }
    out
}

fn new_error(http: u16, status: &str, reason: &str) -> Step {
    say(http, &bodies::new_error(http, status, reason))
}

fn legacy_error(http: u16, status: &str, message: &str) -> Step {
    say(http, &bodies::legacy_error(status, message))
}

fn say(status: u16, body: &str) -> Step {
    Step::Say(announced(status, body.len(), body))
}

fn announced(status: u16, length: usize, body: &str) -> Vec<u8> {
    let kind = if body.starts_with('{') { "application/json" } else { "text/html" };
    format!("HTTP/1.1 {status} Fake\r\ncontent-type: {kind}; charset=UTF-8\r\ncontent-length: {length}\r\n\r\n{body}")
        .into_bytes()
}

fn chunked(body: &str) -> Vec<Step> {
    let mut said = b"HTTP/1.1 200 Fake\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for chunk in body.as_bytes().chunks(1000) {
        said.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        said.extend(chunk);
        said.extend(b"\r\n");
    }
    said.extend(b"0\r\n\r\n");
    vec![Step::Say(said)]
}

fn drip(body: &str) -> Vec<Step> {
    let mut steps = vec![Step::Say(announced(200, body.len(), ""))];
    for byte in body.bytes() {
        steps.extend([Step::Say(vec![byte]), Step::Wait(Duration::from_secs(1))]);
    }
    steps
}

fn redirect() -> Step {
    let head = "HTTP/1.1 302 Fake\r\nlocation: /elsewhere?from=redirect\r\ncontent-length: 0\r\n\r\n";
    Step::Say(head.as_bytes().to_vec())
}
