//! `herd.toml`: whatever stands there, either a herd that is whole and proven comes of it, or mistakes that a person can be
//! shown, each on a line of the file; and soon. Of what was not spoilt it is known which of the two.

use std::cell::Cell;
use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use herdctl::config::{Config, Mistakes, Severity, TEMPLATE, load};
use herdctl::limits;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestCaseResult;

use super::bytes::{Changes, Said};
use super::wrong;
use crate::support::canary::Folder;

/// Of half a megabyte, in a debug build on a busy machine.
const SOON: Duration = Duration::from_secs(10);

const WORDS: &[&[u8]] = &[
    b"herd",
    b"servers",
    b"links",
    b"[log]",
    b"[limits]",
    b"lookups_max",
    b"name",
    b"address",
    b" = ",
    b"[",
    b"]",
    b"[[",
    b"]]",
    b"{",
    b"}",
    b",",
    b"\r\n",
    b"\"",
    b"'",
    b"\"\"\"",
    b"#",
    b"\"Clark\"",
    b"\"127.0.0.1:11003\"",
    b"0",
    b"-1",
    b"1e9",
    b"0x",
    b"true",
    b"1979-05-27",
    b"\\",
    b"\\u",
    b"\xe2\x80\xae",
    b"\x1b[31m",
    "é🐑".as_bytes(),
    b"\xef\xbb\xbf",
    b"\t",
    b"\xff",
];
/// First those that nothing is wrong with, then the same in another case, then no names.
const NAMES: &[&str] = &[
    "Clark",
    "Bona",
    "Jaquez",
    "Ωmega",
    "Bailey",
    "Campbell",
    "clark",
    "ωMEGA",
    "two words",
    "",
    "herd",
    "-f",
    "\\u202e",
];
/// First those that nothing is wrong with, then no addresses.
const ADDRESSES: &[&str] = &[
    "127.0.0.1:0",
    "127.0.0.1:11001",
    "127.0.0.1:11002",
    "127.0.0.1:11003",
    "127.0.0.2:11001",
    "[::1]:11001",
    "localhost:1",
    "127.0.0.1",
    "127.0.0.1:99999",
];
const FIELDS: &[(&str, &str)] = &[
    ("lookups_max", "8"),
    ("lookups_max", "0"),
    ("line_bytes_max", "256"),
    ("line_bytes_max", "255"),
    ("clients_max", "-1"),
    ("idle_seconds_max", "31_536_000"),
    ("idle_seconds_max", "31_536_001"),
    ("unread_bytes_max", "\"many\""),
    ("lookup_max", "8"),
    ("connections_max", "0x10"),
    ("connections_max", "99999999999999999999999"),
    ("future_seconds_max", "1.5"),
];

/// What stands in the file before it is spoilt.
#[derive(Debug, Clone)]
struct Herd {
    servers: Vec<(&'static str, &'static str)>,
    links: Vec<(&'static str, &'static str)>,
    limits: Vec<(&'static str, &'static str)>,
}

#[derive(Debug, Clone)]
struct Case {
    /// None: nobody knows what should come of it.
    herd: Option<Herd>,
    file: Said,
}

fn cases() -> impl Strategy<Value = Case> {
    let some = |words: &'static [&'static str]| prop_oneof![15 => select(&words[..6]), 1 => select(words)];
    let servers = vec((some(NAMES), some(ADDRESSES)), 1..4);
    let links = vec((some(NAMES), some(NAMES)), 0..3);
    let herd = (servers, links, prop::sample::subsequence(FIELDS, 0..3)).prop_map(|(servers, links, limits)| Herd {
        servers,
        links,
        limits,
    });
    let changes = || Changes::up_to(6, WORDS);
    let drawn = (herd, changes()).prop_map(|(herd, changes)| {
        let file = changes.to(herd.file().as_bytes());
        Case { herd: (file == herd.file().as_bytes()).then_some(herd), file: Said(file) }
    });
    let spoilt = changes().prop_map(|changes| changes.to(TEMPLATE.as_bytes()));
    let words = vec(select(WORDS), 0..60).prop_map(|words| words.concat());
    // The same again and again: what takes too long, or nests too deep, shows.
    let long = (vec(select(WORDS), 1..4), 1_usize..50_000).prop_map(|(words, times)| words.concat().repeat(times));
    let other = prop_oneof![4 => spoilt, 4 => words, 1 => long];
    prop_oneof![drawn, other.prop_map(|file| Case { herd: None, file: Said(file) })]
}

impl Herd {
    fn file(&self) -> String {
        let server = |(name, address)| format!("    {{ name = \"{name}\", address = \"{address}\" }},\n");
        let link = |(one, other)| format!("    [\"{one}\", \"{other}\"],\n");
        let servers: String = self.servers.iter().copied().map(server).collect();
        let links: String = self.links.iter().copied().map(link).collect();
        let limits: String = self.limits.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
        format!("herd = \"test\"\nservers = [\n{servers}]\nlinks = [\n{links}]\n[limits]\n{limits}")
    }

    /// Whether it is one. The words that nothing is wrong with are known by their places.
    fn is_right(&self) -> bool {
        let names: HashSet<String> = self.servers.iter().map(|(name, _)| name.to_lowercase()).collect();
        let addresses: Vec<_> = self.servers.iter().map(|(_, address)| *address).collect();
        let fixed: Vec<_> = addresses.iter().filter(|address| !address.ends_with(":0")).collect();
        let pair = |(one, other): &(&str, &str)| {
            let mut pair = [one.to_lowercase(), other.to_lowercase()];
            pair.sort_unstable();
            pair
        };
        let links: HashSet<_> = self.links.iter().map(pair).collect();
        let keys: HashSet<_> = self.limits.iter().map(|(key, _)| key).collect();
        self.servers.iter().all(|(name, address)| NAMES[..8].contains(name) && ADDRESSES[..6].contains(address))
            && names.len() == self.servers.len()
            && fixed.iter().collect::<HashSet<_>>().len() == fixed.len()
            && links.len() == self.links.len()
            && links.iter().all(|[one, other]| one != other && names.contains(one) && names.contains(other))
            && keys.len() == self.limits.len()
            && self.limits.iter().all(|field| [FIELDS[0], FIELDS[2], FIELDS[5], FIELDS[9]].contains(field))
    }
}

type Verdict = Result<(Config, Mistakes), Mistakes>;

#[test]
fn a_herd_toml_is_a_herd_or_has_mistakes_that_can_be_shown() {
    let folder = Folder::new();
    let right = Cell::new(0);
    super::run("herd_toml", &cases(), |case| {
        right.set(right.get() + u64::from(case.herd.as_ref().is_some_and(Herd::is_right)));
        is_judged(&case, folder.path(), load)
    });
    println!("{} of them were right", right.get());
}

#[test]
fn a_link_that_nobody_looks_at_is_found_out() {
    let folder = Folder::new();
    let blind = |path: &Path| {
        let file = fs::read(path).unwrap();
        let blank = |&byte: &u8| if byte == b'\n' { byte } else { b' ' };
        let see =
            |line: &[u8]| if line.starts_with(b"    [") { line.iter().map(blank).collect() } else { line.to_vec() };
        let seen: Vec<Vec<u8>> = file.split_inclusive(|&byte| byte == b'\n').map(see).collect();
        fs::write(path, seen.concat()).unwrap();
        load(path)
    };
    super::assert_found_out("links that nobody looks at", &cases(), |case| is_judged(&case, folder.path(), blind));
}

#[test]
fn a_server_that_is_there_twice_is_found_out() {
    let folder = Folder::new();
    let twice = |path: &Path| {
        load(path).map(|(mut config, warnings)| {
            let first = config.servers[0].clone();
            config.servers.push(first);
            (config, warnings)
        })
    };
    super::assert_found_out("a server twice", &cases(), |case| is_judged(&case, folder.path(), twice));
}

fn is_judged(case: &Case, folder: &Path, load: impl Fn(&Path) -> Verdict) -> TestCaseResult {
    let path = folder.join("herd.toml");
    fs::write(&path, &case.file.0)?;
    let start = Instant::now();
    let verdict = load(&path);
    let (found, mistakes) = match &verdict {
        Ok((config, warnings)) => (Some(config), warnings),
        Err(mistakes) => (None, mistakes),
    };
    let shown = mistakes.render(false);
    prop_assert!(start.elapsed() < SOON, "took {:?}", start.elapsed());
    can_be_shown(mistakes, &shown, &case.file.0)?;
    prop_assert_eq!(found.is_some(), mistakes.errors() == 0);
    if let Some(config) = found {
        is_proven(config)?;
    }
    match &case.herd {
        Some(herd) if herd.is_right() != found.is_some() => {
            Err(wrong(format!("right: {}\n{}{mistakes}", herd.is_right(), herd.file())))
        }
        _ => Ok(()),
    }
}

/// Each mistake is on a line of the file, and nothing that is shown would be obeyed by a terminal.
fn can_be_shown(mistakes: &Mistakes, shown: &str, file: &[u8]) -> TestCaseResult {
    let text = String::from_utf8_lossy(file);
    prop_assert!(mistakes.iter().len() <= limits::MISTAKES_SHOWN_MAX);
    prop_assert!(mistakes.iter().len() <= mistakes.errors() + mistakes.warnings());
    for mistake in mistakes.iter() {
        let line = text.split('\n').nth(mistake.line - 1);
        prop_assert!(line.is_some_and(|line| mistake.column <= line.chars().count() + 1), "{:?}", mistake);
        prop_assert!(mistake.span.as_ref().is_none_or(|span| text.get(span.clone()).is_some()), "{:?}", mistake);
        prop_assert!(mistakes.errors() > 0 || mistake.severity == Severity::Warning, "{:?}", mistake);
        prop_assert!(!mistake.message.is_empty() && !mistake.message.contains('\n'), "{:?}", mistake);
    }
    let obeyed = |c: char| c != '\n' && (c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c));
    prop_assert!(!shown.contains(obeyed), "{:?}", shown);
    // The colours may be obeyed.
    prop_assert_eq!(mistakes.render(true).is_empty(), mistakes.is_empty());
    Ok(())
}

/// What nobody downstream checks again.
fn is_proven(config: &Config) -> TestCaseResult {
    prop_assert!(limits::SERVERS_RANGE.contains(&config.servers.len()));
    for (index, server) in config.servers.iter().enumerate() {
        prop_assert_eq!(config.server_named(&server.name), Some(index), "{:?}", server);
        prop_assert!((1..=limits::NAME_BYTES_MAX).contains(&server.name.len()), "{:?}", server);
        prop_assert!(!server.name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '/'), "{:?}", server);
    }
    let fixed: Vec<_> =
        config.servers.iter().map(|server| &server.address).filter(|address| address.port() != 0).collect();
    prop_assert_eq!(fixed.iter().collect::<HashSet<_>>().len(), fixed.len());
    prop_assert_eq!(config.links.iter().collect::<HashSet<_>>().len(), config.links.len());
    let servers = config.servers.len();
    prop_assert!(config.links.iter().all(|link| link.dialer < link.listener && link.listener < servers));
    prop_assert!(config.path.is_absolute() && config.log.directory.is_absolute());
    let asked = &config.limits;
    prop_assert!(limits::LINE_BYTES_RANGE.contains(&asked.line_bytes_max));
    prop_assert!(limits::CONNECTIONS_RANGE.contains(&asked.connections_max));
    prop_assert!(limits::UNREAD_BYTES_RANGE.contains(&asked.unread_bytes_max));
    prop_assert!(limits::UNREAD_SECONDS_RANGE.contains(&asked.unread_seconds_max));
    prop_assert!(limits::IDLE_SECONDS_RANGE.contains(&asked.idle_seconds_max));
    prop_assert!(limits::LOOKUPS_RANGE.contains(&asked.lookups_max));
    prop_assert!(limits::CLIENTS_RANGE.contains(&asked.clients_max));
    prop_assert!(limits::FUTURE_SECONDS_RANGE.contains(&asked.future_seconds_max));
    Ok(())
}
