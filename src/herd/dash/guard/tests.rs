//! What the guard lets through, header by header. The same over real sockets: `tests/dash.rs`.

use super::*;

const PORT: u16 = 11080;

/// What becomes of a request with these headers; `T` stands for the token, `L` for the one that lets its holder look.
#[track_caller]
fn check(request: &str, headers: &[(&str, &str)], expected: Option<u16>) {
    let guard = Guard::new(PORT).unwrap();
    let (method, uri) = request.split_once(' ').unwrap();
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let value = match *value {
            "T" => &guard.full,
            "L" => &guard.read_only,
            other => other,
        };
        map.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
    }
    let found = guard.check(&method.parse().unwrap(), &uri.parse().unwrap(), &map);
    assert_eq!(found.err().map(|(status, _)| status.as_u16()), expected, "{request} {headers:?}");
}

const OURS: (&str, &str) = ("host", "127.0.0.1:11080");
const TOKEN: (&str, &str) = ("x-herd-token", "T");
const JSON: (&str, &str) = ("content-type", "application/json");

#[test]
fn the_host_is_ours_port_included() {
    for host in ["127.0.0.1:11080", "localhost:11080"] {
        check("GET /", &[("host", host)], None);
    }
    let others = ["127.0.0.1", "127.0.0.1:80", "evil.example:11080", "localhost.evil.example:11080", "[::1]:11080", ""];
    for host in others {
        check("GET /", &[("host", host)], Some(403));
        check("GET /v1/ps", &[("host", host), TOKEN], Some(403));
    }
    check("GET /", &[], Some(403));
    check("GET /", &[OURS, ("host", "evil.example")], Some(403));
    check("GET http://evil.example/v1/ps", &[OURS, TOKEN], Some(403));
}

#[test]
fn an_origin_is_ours_or_there_is_none() {
    check("POST /v1/kill", &[OURS, TOKEN, JSON, ("origin", "http://127.0.0.1:11080")], None);
    for origin in ["http://evil.example", "http://127.0.0.1:11081", "https://127.0.0.1:11080", "null"] {
        check("POST /v1/kill", &[OURS, TOKEN, JSON, ("origin", origin)], Some(403));
        check("GET /", &[OURS, ("origin", origin)], Some(403));
    }
    // Both name this machine, and are two sites to a browser.
    check("GET /v1/ps", &[("host", "localhost:11080"), TOKEN, ("origin", "http://127.0.0.1:11080")], Some(403));
}

#[test]
fn another_site_may_only_link_to_the_page() {
    for site in ["cross-site", "same-site"] {
        check("GET /", &[OURS, ("sec-fetch-site", site)], None);
        check("GET /v1/ps", &[OURS, TOKEN, ("sec-fetch-site", site)], Some(403));
        check("POST /v1/kill", &[OURS, TOKEN, JSON, ("sec-fetch-site", site)], Some(403));
    }
    check("POST /v1/kill", &[OURS, TOKEN, JSON, ("sec-fetch-site", "same-origin")], None);
}

#[test]
fn all_but_the_page_wants_the_token() {
    for path in ["/v1/ps", "/v1/events", "/v1/log", "/v1/down", "/metrics", "/elsewhere", "/../v1/ps", "//"] {
        check(&format!("GET {path}"), &[OURS], Some(401));
        check(&format!("POST {path}"), &[OURS, JSON], Some(401));
        check(&format!("GET {path}"), &[OURS, ("x-herd-token", "00000000000000000000000000000000")], Some(401));
        check(&format!("GET {path}"), &[OURS, TOKEN], None);
    }
    check("POST /", &[OURS, JSON], Some(401));
}

#[test]
fn who_may_look_may_change_nothing() {
    let look = ("x-herd-token", "L");
    check("GET /v1/ps", &[OURS, look], None);
    check("POST /v1/whereis", &[OURS, look, JSON], None);
    for path in ["/v1/kill", "/v1/fault", "/v1/heal", "/v1/whereis/"] {
        check(&format!("POST {path}"), &[OURS, look, JSON], Some(403));
    }
}

#[test]
fn an_order_is_json() {
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/json; x"] {
        check("POST /v1/kill", &[OURS, TOKEN, ("content-type", kind)], Some(415));
    }
    check("POST /v1/kill", &[OURS, TOKEN], Some(415));
}

#[test]
fn no_two_tokens_are_the_same() {
    let guard = Guard::new(PORT).unwrap();
    assert!(guard.full != guard.read_only && guard.full != Guard::new(PORT).unwrap().full);
    assert_eq!(guard.full.len(), 2 * TOKEN_BYTES);
}
