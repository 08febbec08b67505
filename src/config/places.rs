//! The `[places]` part of herd.toml: which provider answers `WHATSAT`, and what it needs to know.
//!
//! A key that only another provider reads is pointed at, not silently ignored. The secret of a provider never
//! stands in herd.toml: who writes it there is told where it belongs, and it is not shown again.

use std::net::IpAddr;
use std::path::Path;

use reqwest::Url;

use super::fields::{Field, Fields, Text};
use super::mistakes::{Found, Kind};
use super::notes::Notes;
use super::{Fallback, FieldMask, Google, GoogleApi, Places, PlacesFile, Provider, Proxy};
use crate::limits::{ATTRIBUTION_BYTES_MAX, URL_BYTES_MAX};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Embedded,
    Google,
    File,
}

const WORDS: [(&str, Word); 3] = [("embedded", Word::Embedded), ("google", Word::Google), ("file", Word::File)];
const KEYS_OF_GOOGLE: [&str; 6] = ["key_file", "api", "fields", "fallback", "proxy", "url"];
const KEYS_OF_FILE: [&str; 2] = ["file", "attribution"];
/// What people call the secret that must not stand here.
const KEYS_OF_NOBODY: [&str; 5] = ["key", "api_key", "apikey", "google_key", "google_api_key"];

/// `None` if something that has no default is missing or wrong.
pub(super) fn places(mut places: Fields<'_>, folder: &Path) -> Option<Places> {
    for key in KEYS_OF_NOBODY {
        if let Some(field) = places.refuse(key) {
            refuse_secret(&field);
        }
    }
    let word = match places.get("provider") {
        Some(field) => field.choice(&WORDS),
        None => Some(Word::Embedded),
    };
    let provider = match word {
        Some(Word::Embedded) => Some(Provider::Embedded),
        Some(Word::Google) => Some(Provider::Google(google(&mut places, folder))),
        Some(Word::File) => file(&mut places, folder).map(Provider::File),
        None => None,
    };
    if word != Some(Word::Google) {
        idle(&mut places, &KEYS_OF_GOOGLE, word);
    }
    if word != Some(Word::File) {
        idle(&mut places, &KEYS_OF_FILE, word);
    }
    places.close();
    Some(Places { provider: provider? })
}

fn google(places: &mut Fields<'_>, folder: &Path) -> Google {
    let key_file = places.get("key_file").and_then(|field| path_of_key(&field)).map(|path| folder.join(path));
    Google {
        key_file,
        api: places.choice("api", &[("new", GoogleApi::New), ("legacy", GoogleApi::Legacy), ("auto", GoogleApi::Auto)]),
        fields: places.choice("fields", &[("basic", FieldMask::Basic), ("full", FieldMask::Full)]),
        fallback: places.choice("fallback", &[("none", Fallback::None), ("embedded", Fallback::Embedded)]),
        proxy: places.choice("proxy", &[("system", Proxy::System), ("none", Proxy::None)]),
        url: places.get("url").and_then(|field| url(&field.text()?, field.notes)),
    }
}

fn file(places: &mut Fields<'_>, folder: &Path) -> Option<PlacesFile> {
    let path = places.need("file", "file = \"places.geojson\"").and_then(|field| field.path());
    let attribution = places.get("attribution").and_then(|field| attribution(&field.text()?, field.notes));
    Some(PlacesFile { path: folder.join(path?), attribution })
}

/// Points at keys that the chosen provider does not read; with an unknown provider there is nothing to say.
fn idle(places: &mut Fields<'_>, keys: &[&'static str], word: Option<Word>) {
    for key in keys {
        let Some(field) = places.get(key) else { continue };
        let Some((chosen, _)) = WORDS.iter().find(|(_, known)| Some(*known) == word) else { continue };
        let message = format!("`{key}` has no effect with provider = \"{chosen}\"");
        field.notes.add(Found::new(Kind::Idle, field.key, message));
    }
}

/// The path of the file that holds the secret, unless it is the secret itself.
fn path_of_key<'a>(field: &Field<'a>) -> Option<&'a str> {
    let path = field.path()?;
    if looks_like_secret(path) {
        refuse_secret(field);
        return None;
    }
    Some(path)
}

/// Google's API keys are 39 characters that begin with `AIza`.
fn looks_like_secret(text: &str) -> bool {
    text.starts_with("AIza") && text.len() >= 30 && !text.contains(['/', '.'])
}

fn refuse_secret(field: &Field<'_>) {
    field.notes.hide(field.value_span());
    field.notes.add(
        Found::new(Kind::SecretInFile, field.key.clone(), "a provider's key does not stand in herd.toml")
            .label("not shown")
            .help("put it into a file that only you can read and name that: key_file = \"google.key\""),
    );
}

/// An origin to which the key may travel: encrypted, or not leaving this machine.
fn url(Text { text, span }: &Text<'_>, notes: &Notes<'_>) -> Option<String> {
    let url = Url::parse(text).ok();
    let flaw = match &url {
        _ if text.len() > URL_BYTES_MAX => "it is longer than any address",
        None => "it is no URL",
        Some(url) if has_secrets(url) => "it holds a name, a password or a query",
        Some(url) if url.path() != "/" => "it goes on after the host",
        Some(url) if url.scheme() == "http" && !is_loopback(url) => "not encrypted, and not this machine",
        Some(url) if !matches!(url.scheme(), "http" | "https") => "neither https nor http",
        Some(url) => return Some(url.as_str().trim_end_matches('/').to_owned()),
    };
    if url.as_ref().is_some_and(has_secrets) {
        notes.hide(span.clone());
    }
    notes.add(
        Found::new(Kind::NotAUrl, span.clone(), "this is no address for a provider")
            .label(flaw)
            .help("for example \"https://places.example.com\", or \"http://127.0.0.1:8080\" on this machine"),
    );
    None
}

fn has_secrets(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some()
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// A line of text that goes into every answer.
fn attribution(Text { text, span }: &Text<'_>, notes: &Notes<'_>) -> Option<String> {
    let flaw = if text.trim().is_empty() {
        "it is empty"
    } else if text.len() > ATTRIBUTION_BYTES_MAX {
        "it is longer than 1,024 bytes"
    } else if text.contains(char::is_control) {
        "it holds a control character"
    } else {
        return Some((*text).to_owned());
    };
    notes.add(Found::new(Kind::NotALine, span.clone(), "an attribution is one line of text").label(flaw));
    None
}
