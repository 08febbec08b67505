//! The laws of the house that a test can keep, by reading the sources.
//!
//! A law is a row of data: where it holds, what must not stand there, and who is excepted and why. A failure
//! names file, line and law; an exception that excepts nothing is a failure too. Comments and the tests inside `src/`
//! are not read, unless a law says so.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

struct Law {
    says: &'static str,
    /// Holds in files whose path begins with one of these.
    within: &'static [&'static str],
    /// What must not stand in a line.
    never: &'static [&'static str],
    /// Path or part of a line, and the reason.
    except: &'static [(&'static str, &'static str)],
}

const LAWS: &[Law] = &[
    Law {
        says: "protocol/ never waits, never does I/O, never looks at a clock",
        within: &["src/protocol/"],
        never: &[
            "tokio",
            "reqwest",
            "tracing",
            "jiff",
            "getrandom",
            "std::net",
            "std::fs",
            "std::thread",
            "std::env",
            "std::time",
            "std::io",
            "std::process",
            "async ",
            ".await",
            "Instant",
            "SystemTime",
            "print!(",
            "println!(",
        ],
        except: &[],
    },
    Law {
        says: "protocol/ knows nothing of ours but itself",
        within: &["src/protocol/"],
        never: &["crate::cli", "crate::config", "crate::herd", "crate::limits", "crate::places", "crate::server"],
        except: &[],
    },
    Law {
        says: "the judge sees no herd: no socket, no clock, no file, and nothing of ours but the grammar of a line",
        within: &["src/judge/"],
        never: &[
            "tokio",
            "reqwest",
            "tracing",
            "jiff",
            "getrandom",
            "std::net",
            "std::fs",
            "std::thread",
            "std::env",
            "std::time",
            "std::process",
            "async ",
            ".await",
            "Instant",
            "SystemTime",
            "crate::cli",
            "crate::config",
            "crate::herd",
            "crate::limits",
            "crate::places",
            "crate::server",
            "protocol::atlas",
            "protocol::hello",
            "protocol::link",
            "protocol::node",
            "protocol::query",
        ],
        except: &[],
    },
    Law {
        says: "protocol, server and herd know no judge",
        within: &["src/protocol/", "src/server/", "src/herd/", "src/places/", "src/config"],
        never: &["crate::judge"],
        except: &[],
    },
    Law {
        says: "config and limits are leaves (config may take its defaults from limits)",
        within: &["src/config", "src/limits.rs"],
        never: &["crate::cli", "crate::herd", "crate::places", "crate::protocol", "crate::server", "tokio"],
        except: &[],
    },
    Law {
        says: "places/ knows neither herd nor atlas",
        within: &["src/places/"],
        never: &["crate::cli", "crate::herd", "crate::server", "protocol::atlas", "protocol::node", "protocol::link"],
        except: &[],
    },
    Law {
        says: "a server knows neither the herd nor the commands",
        within: &["src/server/"],
        never: &["crate::cli", "crate::herd"],
        except: &[],
    },
    Law {
        says: "the herd knows neither the commands nor the inside of the protocol",
        within: &["src/herd/"],
        never: &["crate::cli", "crate::protocol", "crate::places"],
        except: &[],
    },
    Law {
        says: "commands decide nothing about servers: they ask the herd",
        within: &["src/cli/"],
        never: &["crate::server", "crate::places", "protocol::atlas", "protocol::node", "protocol::link"],
        except: &[
            ("src/cli/check_places.rs", "asks the provider itself, with no server in between"),
            ("src/cli/fake_places.rs", "stands in for a provider"),
            ("src/cli/fake_places/", "stands in for a provider"),
        ],
    },
    Law {
        says: "every queue has a limit",
        within: &["src/"],
        never: &["unbounded", "mpsc::channel()", "= channel()"],
        except: &[],
    },
    Law {
        says: "a socket is split by borrow: a dropped half says FIN where a killed process says RST",
        within: &["src/"],
        never: &["into_split("],
        except: &[],
    },
    Law {
        says: "every task belongs to a set of its server, and its panic ends that server and only it",
        within: &["src/"],
        never: &[
            "tokio::spawn(",
            "task::spawn(",
            "task::spawn_blocking(",
            " spawn_local(",
            "(spawn_local(",
            "::spawn_local(",
        ],
        except: &[
            ("src/herd/mod.rs", "the supervisor's own, not a server's"),
            ("src/herd/life.rs", "the supervisor's own: leaving, which takes time"),
            (
                "src/places/google/wire.rs",
                "reads the machine's certificates once, awaited; a server must not wait for a disk",
            ),
            ("src/herd/scrape.rs", "the metrics, which end with the herd"),
            ("src/herd/dash/mod.rs", "the dashboard, which ends with the herd"),
            ("src/herd/dash/tail.rs", "reads the end of a log, awaited; the supervisor must not wait for a disk"),
            ("src/herd/orders.rs", "errands, all awaited by their order"),
            ("src/herd/asked.rs", "answers that take time; the supervisor's own"),
            ("src/herd/later.rs", "what undoes itself after a time; the supervisor's own"),
            ("src/herd/control.rs", "the control channel, awaited when it closes"),
        ],
    },
    Law {
        says: "a thread is a server, a log, or has a reason",
        within: &["src/"],
        never: &["thread::spawn("],
        except: &[
            ("src/herd/detach.rs", "reads the child's words while the parent waits with a deadline"),
            ("src/cli/talk/wire.rs", "sends lines while the answers to others are read"),
        ],
    },
    Law {
        says: "a server has one clock",
        within: &["src/server/"],
        never: &["Instant::now(", "SystemTime::now(", "Timestamp::now("],
        except: &[("src/server/clock.rs", "that one")],
    },
    Law {
        says: "a server shares nothing, and waits for nobody's lock",
        within: &["src/server/", "src/protocol/"],
        never: &["Mutex", "RwLock", "OnceLock", "LazyLock", "thread::sleep("],
        except: &[],
    },
    Law {
        says: "a bug is an assertion that says what was believed",
        within: &["src/"],
        never: &[".unwrap()"],
        except: &[],
    },
    Law {
        says: "only commands speak to a terminal",
        within: &["src/"],
        never: &["print!(", "println!(", "eprint!(", "eprintln!(", "dbg!("],
        except: &[("src/cli/", "commands"), ("src/places/pack.rs", "a build script speaks to cargo")],
    },
    Law {
        says: "every time limit has a name and a reason, in limits.rs",
        within: &["src/server/", "src/herd/"],
        never: &["from_secs(#", "from_millis(#", "from_micros(#", "from_nanos(#", "from_secs_f64(#", "from_mins(#"],
        except: &[],
    },
    Law {
        says: "a test waits on a value, with a deadline",
        within: &["tests/"],
        never: &["sleep("],
        except: &[("tests/tidy.rs", "this law")],
    },
    Law {
        says: "the program runs with the canary key, in a folder that is searched for it (canary::herdctl, canary::Folder)",
        within: &["tests/"],
        never: &["CARGO_BIN_EXE_herdctl", "tempfile::"],
        except: &[
            ("tests/support/canary.rs", "that one"),
            ("tests/readme.rs", "bash runs it, with the key"),
            ("tests/tidy.rs", "this law"),
        ],
    },
    Law {
        says: "what is not done is not there",
        within: &["src/", "tests/", "benches/"],
        never: &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("to", "do!("), concat!("unimplemented", "!(")],
        except: &[],
    },
    Law {
        says: "a lint is expected, with a reason, and never allowed",
        within: &["src/", "tests/", "benches/"],
        never: &[concat!("#[", "allow("), concat!("#![", "allow(")],
        except: &[],
    },
];

/// A line of code that a law is held against.
struct Line {
    file: String,
    number: usize,
    text: String,
}

#[test]
fn the_laws_are_kept() {
    let lines = code();
    let mut broken = String::new();
    for law in LAWS {
        let mut excepted = vec![false; law.except.len()];
        for line in lines.iter().filter(|line| law.within.iter().any(|place| line.file.starts_with(place))) {
            let Some(never) = law.never.iter().find(|never| stands_in(never, &line.text)) else { continue };
            match law.except.iter().position(|(who, _)| line.file.starts_with(who)) {
                Some(exception) => excepted[exception] = true,
                None => writeln!(broken, "{}:{}: `{never}`: {}", line.file, line.number, law.says).unwrap(),
            }
        }
        for ((who, _), _) in
            law.except.iter().zip(&excepted).filter(|((who, _), used)| !**used && who.ends_with(".rs") && exists(who))
        {
            writeln!(broken, "tests/tidy.rs: {who} needs no exception any more: {}", law.says).unwrap();
        }
    }
    assert!(broken.is_empty(), "\n{broken}");
}

#[test]
fn a_law_that_is_broken_is_noticed() {
    for (never, good, bad) in [
        ("from_secs(#", "Duration::from_secs(limits.idle_seconds_max)", "Duration::from_secs(3)"),
        ("sleep(", "oversleeping", "thread::sleep(A_WHILE);"),
        ("print!(", "sprint", "print!(\"{x}\")"),
        (" spawn_local(", "tasks.spawn_local(serve())", "let task = spawn_local(serve());"),
    ] {
        assert!(!stands_in(never, good) && stands_in(never, bad), "{never}");
    }
    assert_eq!(without_comment("let url = \"http://x\"; // why"), "let url = \"http://x\"; ");
    assert_eq!(without_comment("/// says println!("), "");
}

#[test]
fn every_source_opens_with_what_it_is() {
    for (file, text) in sources().into_iter().filter(|(file, _)| file != "src/main.rs" || text_lines(file) > 3) {
        assert!(text.starts_with("//! "), "{file}:1: a file opens with what lives there, and why");
    }
}

#[test]
fn no_source_is_long() {
    const LINES_MAX: usize = 500;
    for (file, text) in sources().into_iter().filter(|(file, _)| file.starts_with("src/")) {
        let lines = text.lines().count();
        assert!(lines <= LINES_MAX, "{file}: {lines} lines, and a file has at most {LINES_MAX}");
    }
}

#[test]
fn the_index_of_the_tests_is_whole() {
    let main = read("tests/main.rs");
    for module in main.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';')) {
        assert!(main.contains(&format!("//! | [`{module}`] | ")), "tests/main.rs: {module} is not in the index");
    }
}

/// What is written about places on one machine is of no use on another.
#[test]
fn no_file_names_a_place_on_the_machine_it_was_written_on() {
    let places = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/tmp/", "wt")];
    for file in files() {
        let Ok(text) = std::fs::read_to_string(root().join(&file)) else { continue };
        for (number, line) in text.lines().enumerate() {
            let place = places.iter().find(|place| line.contains(*place));
            assert!(place.is_none(), "{file}:{}: names {place:?}", number + 1);
        }
    }
}

/// What is built here is what is built everywhere.
#[test]
fn the_lock_file_is_kept() {
    assert!(exists("Cargo.lock"), "Cargo.lock is missing");
    let ignored = read(".gitignore");
    assert!(!ignored.lines().any(|line| line.contains("Cargo.lock")), ".gitignore: Cargo.lock belongs in git");
    if exists(".git") {
        assert!(files().iter().any(|file| file == "Cargo.lock"), "Cargo.lock is not in git");
    }
}

/// `#` at the end stands for a digit; a word does not begin inside another.
fn stands_in(never: &str, text: &str) -> bool {
    let (word, wants_digit) = never.strip_suffix('#').map_or((never, false), |word| (word, true));
    text.match_indices(word).any(|(at, _)| {
        let is_part = |before: char| before.is_alphanumeric() || before == '_';
        let begins_inside = word.starts_with(is_part) && text[..at].ends_with(is_part);
        let digit_follows = text[at + word.len()..].starts_with(|next: char| next.is_ascii_digit());
        !begins_inside && (!wants_digit || digit_follows)
    })
}

/// The lines of all sources, without comments and without the tests inside `src/`.
fn code() -> Vec<Line> {
    let mut lines = Vec::new();
    for (file, text) in
        sources().into_iter().filter(|(file, _)| !(file.starts_with("src/") && file.ends_with("/tests.rs")))
    {
        let code =
            text.lines().enumerate().take_while(|(_, line)| !(file.starts_with("src/") && *line == "#[cfg(test)]"));
        lines.extend(code.map(|(index, line)| Line {
            file: file.clone(),
            number: index + 1,
            text: without_comment(line).to_owned(),
        }));
    }
    lines
}

/// A `//` that does not follow a colon begins a comment: good enough for sources that hold no other kind.
fn without_comment(line: &str) -> &str {
    let comment = line.match_indices("//").find(|&(at, _)| !line[..at].ends_with(':'));
    comment.map_or(line, |(at, _)| &line[..at])
}

/// Every Rust source, by its path.
fn sources() -> Vec<(String, String)> {
    let is_ours = |file: &String| file.ends_with(".rs") && !file.starts_with("target/");
    files().into_iter().filter(is_ours).map(|file| (file.clone(), read(&file))).collect()
}

/// Every file that is in git and in the tree, or every file of the tree where there is no git.
fn files() -> Vec<String> {
    let git = std::process::Command::new("git").arg("ls-files").current_dir(root()).output();
    match git.ok().filter(|git| git.status.success() && !git.stdout.is_empty()) {
        Some(git) => {
            let listed = String::from_utf8_lossy(&git.stdout).into_owned();
            listed.lines().filter(|file| exists(file)).map(str::to_owned).collect()
        }
        None => walk(&root()),
    }
}

fn walk(directory: &Path) -> Vec<String> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path()) {
        let name = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if entry.is_dir() && !["target", "logs", ".git", ".herd"].contains(&name.as_str()) {
            files.extend(walk(&entry));
        } else if entry.is_file() {
            files.push(entry.strip_prefix(root()).expect("under the root").to_string_lossy().into_owned());
        }
    }
    files
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn exists(file: &str) -> bool {
    root().join(file).exists()
}

fn read(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|why| panic!("{file}: {why}"))
}

fn text_lines(file: &str) -> usize {
    read(file).lines().count()
}
