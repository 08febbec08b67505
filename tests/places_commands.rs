//! The real binary with a provider of its user's: what `check`, `up`, `ps` and `fake-places` say, and that whatever
//! they say, print and leave behind, the key is not in it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use herdctl::cli::fake_places::{Fake, Scenario};
use serde_json::Value;

use crate::support::canary::{self, Folder, KEY, KEY_FILE, Watched};

/// A folder with a herd of one server, whose key is in a file; the herd that runs in it ends with it.
struct Field {
    folder: Folder,
    environment: Vec<(&'static str, &'static str)>,
}

struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Field {
    fn new(places: &str) -> Self {
        let field = Self { folder: Folder::new(), environment: Vec::new() };
        let server = "herd = \"test\"\nservers = [{ name = \"Clark\", address = \"127.0.0.1:0\" }]\n";
        fs::write(field.path("herd.toml"), format!("{server}[places]\n{places}")).unwrap();
        field.key(0o600);
        field
    }

    fn google(fake: &Fake) -> Self {
        Self::new(&format!("provider = \"google\"\nkey_file = \"google.key\"\nurl = \"{}\"\n", fake.url()))
    }

    fn key(&self, mode: u32) {
        fs::write(self.path(KEY_FILE), format!("{KEY}\n")).unwrap();
        fs::set_permissions(self.path(KEY_FILE), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    fn command(&self, line: &str) -> Command {
        let mut command = canary::herdctl(self.folder.path());
        command.args(line.split_whitespace()).env_remove("HERDCTL_PLACES_KEY").env_remove("GOOGLE_PLACES_API_KEY");
        command.envs(self.environment.iter().copied());
        command
    }

    /// Runs a command; its words hold no key.
    #[track_caller]
    fn run(&self, line: &str) -> Said {
        let output = self.command(line).output().unwrap();
        canary::look(line, &output.stdout);
        canary::look(line, &output.stderr);
        Said {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    fn json(&self, line: &str) -> Value {
        let said = self.run(line);
        serde_json::from_str(&said.out).unwrap_or_else(|why| panic!("{line}: {why}: {} {}", said.out, said.err))
    }

    /// What is looked at when the folder goes is there to be looked at.
    fn check_files(&self) {
        for file in ["logs/Clark.log", "logs/herd.log", ".herd/supervisor.log", ".herd/lock"] {
            assert!(self.path(file).is_file(), "{file} is missing");
        }
    }
}

impl Drop for Field {
    fn drop(&mut self) {
        let _ = self.command("down --force -q").output();
    }
}

#[test]
fn a_provider_in_trouble_is_in_ps_and_in_the_herd_s_log_once_and_the_key_nowhere() {
    let fake = Fake::start(Scenario::Denied).unwrap();
    let field = Field::google(&fake);
    let up = field.run("up -d");
    assert_eq!(up.code, 0, "{}", up.err);
    assert_eq!(field.run("iamat kiwi +34.068930-118.445127").code, 0);
    for _ in 0..2 {
        let answer = field.run("whatsat kiwi 10 5");
        assert!(answer.out.contains("\"status\" : \"REQUEST_DENIED\""), "{}", answer.out);
    }
    assert!(field.run("ps").out.contains("places: the provider refuses the key"));
    assert_eq!(field.json("ps --json")["servers"][0]["note"], "places: the provider refuses the key");
    let log = field.run("logs herd -n all").out;
    assert_eq!(log.matches("Clark: places: the provider refuses the key").count(), 1, "{log}");

    fake.behave(Scenario::Ok, Duration::ZERO);
    assert!(field.run("whatsat kiwi 10 5").out.contains("Sample museum 1"));
    assert_eq!(field.json("ps --json")["servers"][0]["note"], Value::Null);
    let events = field.run("events --kind places --since 1 --count 2 --json").out;
    let kinds: Vec<Value> =
        events.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["kind"].take()).collect();
    assert_eq!(kinds, ["places.refused", "places.fine"], "once a change, not once a question: {events}");
    for line in ["logs -n all", "logs --json -n all", "ps --wide", "restart Clark --hard", "kill Clark", "down"] {
        field.run(line);
    }
    assert_eq!(fake.requests()[0].header("x-goog-api-key"), Some(KEY));
    field.check_files();
}

#[test]
fn check_asks_the_provider_only_if_it_is_told_to() {
    let fake = Fake::start(Scenario::Ok).unwrap();
    let field = Field::google(&fake);
    assert_eq!(field.run("check").code, 0);
    assert_eq!(fake.requests().len(), 0);
    let said = field.run("check --places");
    assert_eq!(said.code, 0);
    assert!(
        said.out.contains(&format!("✔ places: Google Places at {}: 20 places around UCLA, in ", fake.url())),
        "{}",
        said.out
    );
    assert_eq!(fake.requests().len(), 1);
    let document = field.json("check --places --json");
    assert_eq!((&document["places"]["status"], &document["places"]["places"]), (&"OK".into(), &20.into()));
}

#[test]
fn check_says_in_a_person_s_words_what_is_in_the_way() {
    let fake = Fake::start(Scenario::Ok).unwrap();
    let field = Field::google(&fake);
    for (scenario, status, said) in [
        (Scenario::Denied, "REQUEST_DENIED", "copy the key again"),
        (Scenario::Disabled, "REQUEST_DENIED", "enable \"Places API (New)\""),
        (Scenario::Forbidden, "REQUEST_DENIED", "restricted to web sites"),
        (Scenario::Quota, "OVER_QUERY_LIMIT", "see the quotas"),
        (Scenario::Unavailable, "UNKNOWN_ERROR", "in trouble itself"),
        (Scenario::BadGateway, "UNKNOWN_ERROR", "a proxy before it, is in trouble"),
        (Scenario::Redirect, "UNKNOWN_ERROR", "a login page"),
    ] {
        fake.behave(scenario, Duration::ZERO);
        let check = field.run("check --places");
        assert_eq!(check.code, 8, "{scenario:?}: {}", check.out);
        assert!(check.out.contains("✗ places: the places provider") && check.out.contains(said), "{}", check.out);
        let document = field.json("check --places --json");
        assert_eq!((&document["ok"], &document["places"]["status"]), (&true.into(), &status.into()), "{scenario:?}");
    }
    drop(fake);
    let check = field.run("check --places");
    assert!(check.code == 8 && check.out.contains("is there a network?"), "{}", check.out);
}

#[test]
fn without_a_key_that_is_a_secret_nothing_comes_up() {
    let fake = Fake::start(Scenario::Ok).unwrap();
    let mut field = Field::google(&fake);
    field.key(0o644);
    for line in ["check", "up -d"] {
        let said = field.run(line);
        assert_eq!(said.code, 5, "{line}: {} {}", said.out, said.err);
        let text = said.out + &said.err;
        assert!(text.contains("others than you can read the key file") && text.contains("chmod 600 '"), "{text}");
    }
    let toml = fs::read_to_string(field.path("herd.toml")).unwrap().replace("key_file = \"google.key\"\n", "");
    fs::write(field.path("herd.toml"), toml).unwrap();
    let said = field.run("check");
    assert!(said.code == 5 && said.out.contains("HERDCTL_PLACES_KEY"), "{}", said.out);
    field.environment.push(("GOOGLE_PLACES_API_KEY", KEY));
    assert_eq!(field.run("check --places").code, 0);
    field.environment.insert(0, ("HERDCTL_PLACES_KEY", "two words"));
    let said = field.run("check");
    assert!(said.code == 5 && said.out.contains("HERDCTL_PLACES_KEY holds no key"), "{}", said.out);
}

#[test]
fn a_key_in_herd_toml_is_refused_and_not_shown() {
    for places in [
        format!("key = \"{KEY}\"\n"),
        format!("provider = \"google\"\nkey_file = \"{KEY}\"\n"),
        format!("provider = \"google\"\nurl = \"https://x.example/?key={KEY}\"\n"),
        format!("provider = \"google\"\nurl = \"https://{KEY}@x.example\"\n"),
    ] {
        let field = Field::new(&places);
        let said = field.run("check");
        assert_eq!(said.code, 5, "{}", said.out);
        assert!(said.out.contains("**********"), "{}", said.out);
        fs::remove_file(field.path("herd.toml")).unwrap();
    }
}

#[test]
fn a_proxy_that_fails_is_named_without_its_password() {
    let field = Field::new("provider = \"google\"\nkey_file = \"google.key\"\n");
    for line in ["check --places", "check --places --json"] {
        let said = field.run(line);
        assert!(said.code == 8 && said.out.contains("cannot be reached: connection refused"), "{}", said.out);
        assert!(said.out.contains("A proxy is taken from HTTPS_PROXY"), "{}", said.out);
    }
}

#[test]
fn a_file_of_places_is_checked_and_used() {
    let mut field = Field::new("provider = \"file\"\nfile = \"places.csv\"\nattribution = \"Us\"\n");
    fs::write(field.path("places.csv"), "name,lat,lng\nHere,34.07,-118.44\nNowhere,north,west\n").unwrap();
    let said = field.run("check --places");
    assert_eq!(said.code, 0, "{}", said.out);
    assert!(said.out.contains("1 record left out: line 3: its latitude is no number"), "{}", said.out);
    assert_eq!(field.run("up -d").code, 0);
    field.run("iamat kiwi +34.068930-118.445127");
    assert_eq!(field.json("whatsat kiwi 10 5 --json")["places"][0]["name"], "Here");
    assert!(field.run("logs herd -n all").out.contains("places.csv (CSV), 1 record left out: line 3"));
    field.run("down");

    fs::write(field.path("places.csv"), "name,lat,lng\n").unwrap();
    for line in ["check", "up -d"] {
        let said = field.run(line);
        assert!(said.code == 5 && (said.out + &said.err).contains("places.csv holds no places"), "{line}");
    }
    field.environment.clear();
}

#[test]
fn the_fake_is_pasted_into_herd_toml_and_works() {
    let field = Field::new("");
    let mut fake =
        Running(field.command("fake-places --port 0").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    let mut said = BufReader::new(Watched::new(fake.0.stdout.take().unwrap()));
    let mut toml = String::new();
    for _ in 0..3 {
        said.read_line(&mut toml).unwrap();
    }
    let mut herd = fs::read_to_string(field.path("herd.toml")).unwrap().replace("[places]\n", "");
    herd.push_str(&toml);
    fs::write(field.path("herd.toml"), herd).unwrap();
    let mut field = field;
    field.environment.push(("HERDCTL_PLACES_KEY", KEY));
    assert_eq!(field.run("check --places").code, 0);
    fake.0.kill().unwrap();
    let stderr = Watched::new(fake.0.stderr.take().unwrap());
    let words: Vec<String> = BufReader::new(stderr).lines().map(Result::unwrap).collect();
    assert!(words.iter().any(|line| line == "New: 10 km around 34.06893, -118.445127"), "{words:?}");
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
