//! What `iamat` and `whatsat` answer with under `--json`.

use serde::Serialize;

use crate::cli::escape;

/// `herd.iamat/1`
#[derive(Serialize)]
pub struct IamatDocument<'a> {
    pub schema: &'static str,
    pub server: &'a str,
    pub took_us: u64,
    pub at: At,
}

/// `herd.whatsat/1`
#[derive(Serialize)]
pub struct WhatsatDocument<'a> {
    pub schema: &'static str,
    pub server: &'a str,
    pub took_us: u64,
    pub at: At,
    pub status: Option<serde_json::Value>,
    pub places: serde_json::Value,
}

/// An `AT` line, field by field; bytes that are not UTF-8 are spelled out.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct At {
    /// The server that heard it from the client.
    pub server: String,
    pub skew: String,
    pub client: String,
    pub location: String,
    pub time: String,
}

impl At {
    /// `None`: this is no `AT` line.
    pub fn read(line: &[u8]) -> Option<Self> {
        let words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let words: Vec<String> = words.map(text).collect();
        let [at, server, skew, client, location, time] = <[String; 6]>::try_from(words).ok()?;
        (at == "AT").then_some(Self { server, skew, client, location, time })
    }
}

fn text(word: &[u8]) -> String {
    std::str::from_utf8(word).map_or_else(|_| escape::line(word).into_owned(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_at_line_is_read_field_by_field() {
        let at = At::read(b"AT Clark +0.000213 k\xffwi +34.068930-118.445127 1763823845.123243\n").unwrap();
        assert_eq!((at.server.as_str(), at.client.as_str()), ("Clark", "k\\xffwi"));
        assert_eq!((at.location.as_str(), at.time.as_str()), ("+34.068930-118.445127", "1763823845.123243"));
        assert_eq!(At::read(b"? IAMAT bad\n"), None);
    }
}
