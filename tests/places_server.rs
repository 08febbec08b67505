//! A server with a live provider: what its clients get when the provider answers, fails and hangs; what its log and
//! its vitals say; and that the key and Google's places are in neither.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use herdctl::cli::fake_places::{Fake, Scenario};
use herdctl::config::{self, Config, Provider};
use herdctl::places::Condition;
use herdctl::server::Signal;

use crate::support::canary::{KEY, KEY_FILE};
use crate::support::{Client, DEADLINE, Herd, wait_until};

/// A herd.toml that asks this fake, with the key in a file beside it.
fn ask(fake: &Fake) -> impl FnOnce(&mut Config) {
    let url = fake.url();
    move |config| {
        let key_file = config.directory().join(KEY_FILE);
        fs::write(&key_file, format!("{KEY}\n")).unwrap();
        fs::set_permissions(&key_file, fs::Permissions::from_mode(0o600)).unwrap();
        config.places.provider =
            Provider::Google(config::Google { key_file: Some(key_file), url: Some(url), ..Default::default() });
    }
}

fn client_at_ucla(herd: &Herd) -> Client {
    let mut client = herd.client("Clark");
    client.ask("IAMAT kiwi +34.068930-118.445127 1621464827.959498503");
    client
}

#[test]
fn a_whatsat_is_answered_with_what_the_provider_says() {
    let fake = Fake::start(Scenario::Ok).unwrap();
    let herd = Herd::one(ask(&fake));
    let mut client = client_at_ucla(&herd);
    client.say("WHATSAT kiwi 10 5\n");
    let (at, json) = client.hear_places();
    assert!(at.starts_with("AT Clark +") && at.ends_with(" kiwi +34.068930-118.445127 1621464827.959498503\n"), "{at}");
    assert_eq!(json["status"], "OK");
    assert_eq!(json["results"].as_array().unwrap().len(), 5);
    assert_eq!(json["results"][0]["name"], "Sample museum 1");
}

#[test]
fn a_provider_that_fails_is_a_whole_answer_and_the_log_and_the_vitals_say_so_once() {
    let fake = Fake::start(Scenario::Denied).unwrap();
    let herd = Herd::one(ask(&fake));
    let mut client = client_at_ucla(&herd);
    for _ in 0..3 {
        client.say("WHATSAT kiwi 10 5\n");
        let (at, json) = client.hear_places();
        assert!(at.starts_with("AT Clark +"), "{at}");
        assert_eq!(
            json,
            serde_json::json!({
                "error_message": "herdctl: the places provider refuses the key (API_KEY_INVALID)",
                "html_attributions": [], "results": [], "status": "REQUEST_DENIED",
            })
        );
    }
    assert_eq!(herd.vitals("Clark").places(), Condition::Refused);
    fake.behave(Scenario::Few, Duration::ZERO);
    client.say("WHATSAT kiwi 10 5\n");
    assert_eq!(client.hear_places().1["status"], "OK");
    assert_eq!(herd.vitals("Clark").places(), Condition::Fine);

    wait_until("the log to be written", || herd.log("Clark").contains("answers again"));
    let log = herd.log("Clark");
    assert_eq!(log.matches("WARN  places: the places provider refuses the key (API_KEY_INVALID)").count(), 1, "{log}");
    assert_eq!(log.matches("INFO  places: the provider answers again").count(), 1, "{log}");
}

#[test]
fn a_provider_that_hangs_holds_up_only_who_asked() {
    let fake = Fake::start(Scenario::SlowHeaders).unwrap();
    let herd = Herd::one(ask(&fake));
    let mut waiting = client_at_ucla(&herd);
    waiting.say("WHATSAT kiwi 10 5\nIAMAT kiwi +1+1 1700000000\n");
    wait_until("the provider to be asked", || !fake.requests().is_empty());
    let start = Instant::now();
    let mut other = herd.client("Clark");
    for time in 0..100 {
        assert!(other.ask(&format!("IAMAT other +1+1 {time}")).starts_with("AT Clark "));
    }
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    // Its own answers come in the order of its commands, the first within the deadline.
    assert_eq!(waiting.hear_places().1["status"], "UNKNOWN_ERROR");
    assert!(waiting.hear().contains(" kiwi +1+1 1700000000"));
}

#[test]
fn a_kill_ends_what_is_being_asked() {
    let fake = Fake::start(Scenario::SlowHeaders).unwrap();
    let mut herd = Herd::one(ask(&fake));
    let mut client = client_at_ucla(&herd);
    client.say("WHATSAT kiwi 10 5\n");
    wait_until("the provider to be asked", || !fake.requests().is_empty());
    let start = Instant::now();
    herd.end("Clark", Signal::Kill).unwrap().unwrap();
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert!(client.is_gone());
    // The next incarnation has a client of its own.
    fake.behave(Scenario::Ok, Duration::ZERO);
    herd.start("Clark");
    let mut client = client_at_ucla(&herd);
    client.say("WHATSAT kiwi 10 5\n");
    assert_eq!(client.hear_places().1["status"], "OK");
}

#[test]
fn many_ask_the_same_and_the_provider_is_asked_once() {
    let fake = Fake::start_on(0, Scenario::Ok, Duration::from_millis(300), |_| {}).unwrap();
    let herd = Herd::one(ask(&fake));
    let mut clients: Vec<Client> = (0..50).map(|_| client_at_ucla(&herd)).collect();
    let start = Instant::now();
    for (number, client) in clients.iter_mut().enumerate() {
        client.say(format!("WHATSAT kiwi 10 {}\n", number % 21));
    }
    if start.elapsed() > Duration::from_millis(200) {
        // On so slow a machine the first may have been answered before the last has asked.
        return;
    }
    // The first hangs up.
    drop(clients.remove(0));
    for (number, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.hear_places().1["results"].as_array().unwrap().len(), (number + 1) % 21);
    }
    assert_eq!(fake.requests().len(), 1);
}

#[test]
fn neither_the_key_nor_a_place_of_google_s_is_in_a_log_or_an_answer() {
    let fake = Fake::start(Scenario::Ok).unwrap();
    for api in [config::GoogleApi::New, config::GoogleApi::Legacy] {
        let herd = Herd::one(|config| {
            ask(&fake)(config);
            if let Provider::Google(google) = &mut config.places.provider {
                google.api = api;
            }
        });
        let mut client = client_at_ucla(&herd);
        for scenario in [
            Scenario::Ok,
            Scenario::Zero,
            Scenario::Denied,
            Scenario::Unavailable,
            Scenario::Reset,
            Scenario::Ok,
            Scenario::Truncated,
            Scenario::Redirect,
            Scenario::Ok,
            Scenario::Quota,
        ] {
            fake.behave(scenario, Duration::ZERO);
            client.say("WHATSAT kiwi 10 5\n");
            let (at, json) = client.hear_places();
            assert!(!format!("{at}{json}").contains(KEY), "{scenario:?}: {at}{json}");
        }
        wait_until("the log to be written", || herd.log("Clark").contains("(OVER_QUERY_LIMIT, "));
        let log = herd.log("Clark");
        assert!(log.contains("| (5 places, "), "{log}");
        assert!(log.contains("| (ZERO_RESULTS, "), "{log}");
        fs::remove_file(herd.folder().join(KEY_FILE)).unwrap();
        check_folder(herd.folder(), &["CANARY", "Sample", "ChIJfake", "Plaza", "123456789012", "console.example"]);
    }
}

/// No file below this folder holds one of `words`.
fn check_folder(folder: &Path, words: &[&str]) {
    let mut files = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            check_folder(&path, words);
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        for word in words {
            assert!(!text.contains(word), "{} holds {word}", path.display());
        }
        files += 1;
    }
    assert!(files > 0 || folder.join("logs").is_dir(), "nothing was looked at in {}", folder.display());
}

#[test]
fn the_log_says_how_many_places_were_found_and_does_not_repeat_them() {
    assert!(DEADLINE > herdctl::limits::LOOKUP_MAX);
    let herd = Herd::one(|_| {});
    let mut client = client_at_ucla(&herd);
    client.say("WHATSAT kiwi 10 2\n");
    client.hear_places();
    wait_until("the log to be written", || herd.log("Clark").contains("| (2 places, "));
    assert!(!herd.log("Clark").contains("Bel Air"));
}
