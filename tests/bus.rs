//! Herds that a bus joins, which is a real nats-server.
//!
//! Without that program these tests say so and pass, unless `CI` is set: there it is installed before.

use std::cell::Cell;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::Ordering::Relaxed;

use herdctl::config::{Bus, Config};
use herdctl::server::vitals::{BusState, bus_trouble};

use crate::commands::Field;
use crate::nats::Nats;
use crate::schemas;
use crate::support::canary::CREDS_FILE;
use crate::support::{Herd, wait_until};
use crate::watching;

/// A herd of this name, both of whose servers are bridges to this bus.
fn joining(name: &str, url: &str) -> impl FnOnce(&mut Config) {
    let bus = Bus { url: url.into(), creds_file: None, servers: vec![0, 1], bucket: "places".into(), replicas: 1 };
    let name = name.to_owned();
    move |config| (config.herd, config.bus) = (name, Some(bus))
}

fn joined(name: &str, nats: &Nats) -> Herd {
    let herd = Herd::two(joining(name, &nats.url()));
    wait_level(&herd);
    herd
}

/// Waits until every bridge has told what it knows.
#[track_caller]
fn wait_level(herd: &Herd) {
    wait_until("the bus to be level", || {
        herd.running().all(|vitals| {
            let told = vitals.bus.told.load(Relaxed);
            vitals.bus.state() == BusState::Joined && told == vitals.edition.load(Relaxed)
        })
    });
}

/// Waits until these herds know the same clients, so many, and the bus does too.
#[track_caller]
fn wait_agreed(herds: &[&Herd], clients: u64) {
    herds.iter().for_each(|herd| herd.wait_converged(clients));
    wait_until("the herds to agree", || {
        let mut digests = herds.iter().flat_map(|herd| herd.running()).map(|vitals| vitals.digest.load(Relaxed));
        let first = digests.next().unwrap();
        digests.all(|digest| digest == first)
    });
    herds.iter().for_each(|herd| wait_level(herd));
}

#[test]
fn two_herds_answer_with_each_others_reports() {
    let Some(nats) = Nats::start() else { return };
    let (ucla, mit) = (joined("ucla", &nats), joined("mit", &nats));
    let kiwi = ucla.client("Clark").ask("IAMAT kiwi +34.068930-118.445127 1621464827.959498503");
    let mango = mit.client("Bona").ask("IAMAT mango +42.36-71.09 1621464828");
    wait_agreed(&[&ucla, &mit], 2);
    assert_eq!(mit.client("Bona").ask("WHATSAT kiwi 10 0"), kiwi, "the same bytes");
    assert_eq!(ucla.client("Clark").ask("WHATSAT mango 10 0"), mango);
    // The newest wins, whoever says it.
    let newer = mit.client("Clark").ask("IAMAT kiwi +1+1 1621464829");
    ucla.client("Bona").ask("IAMAT kiwi +2+2 1621464820");
    wait_agreed(&[&ucla, &mit], 2);
    assert_eq!(ucla.client("Bona").ask("WHATSAT kiwi 10 0"), newer);
}

#[test]
fn any_client_crosses_the_bus_and_what_is_no_report_does_not() {
    let Some(nats) = Nats::start() else { return };
    let (ucla, mit) = (joined("ucla", &nats), joined("mit.edu>*", &nats));
    let mut client = ucla.client("Clark");
    let names: Vec<Vec<u8>> = [
        &b"."[..],
        b"*",
        b">",
        b"a.b.>",
        b"=",
        b"==",
        b"=2E",
        b"$KV",
        b"/",
        b"\x00\xff",
        &[b'x'; 300],
        &[0xf0; 40_000],
    ]
    .map(<[u8]>::to_vec)
    .to_vec();
    for name in &names {
        client.say([b"IAMAT ", &name[..], b" +1-1 5\n"].concat());
        assert!(client.hear().starts_with("AT Clark "));
    }
    wait_agreed(&[&ucla, &mit], names.len() as u64);

    let edition = mit.vitals("Bona").edition.load(Relaxed);
    let garbage: [(&str, &[u8]); 6] = [
        ("$KV.places.x.kiwi", b""),
        ("$KV.places.x.kiwi2", b"IAMAT kiwi +1-1 5"),
        ("$KV.places.x.kiwi3", b"AT Eve +0.000000000 other +1-1 5"),
        ("$KV.places.x.kiwi4", b"AT Eve +0.000000000 kiwi4 +1-1 5\nTOLD 1 1"),
        ("$KV.places.kiwi5", b"AT Eve +0.000000000 kiwi5 +1-1 5"),
        ("$KV.places.x.kiwi6", &[0xff; 500_000]),
    ];
    garbage.iter().for_each(|(subject, value)| nats.put(subject, value));
    nats.put("$KV.places.x.fine", b"AT Elsewhere +0.000000000 fine +1-1 5");
    wait_agreed(&[&ucla, &mit], names.len() as u64 + 1);
    for herd in [&ucla, &mit] {
        assert!(herd.running().all(|vitals| vitals.bus.refused.load(Relaxed) == garbage.len() as u64));
        assert!(herd.log("Clark").contains("holds what is no report"));
    }
    assert_eq!(mit.vitals("Bona").edition.load(Relaxed), edition + 1);
    let answer = ucla.client("Bona").ask("WHATSAT fine 10 0");
    assert_eq!(answer, "AT Elsewhere +0.000000000 fine +1-1 5\n", "the server is another herd's");
}

#[test]
fn a_bus_that_is_killed_under_load_costs_nothing() {
    let Some(mut nats) = Nats::start() else { return };
    let (ucla, mit) = (joined("ucla", &nats), joined("mit", &nats));
    let (mut one, mut other) = (ucla.client("Clark"), mit.client("Bona"));
    let said = Cell::new(0);
    let mut say = |until: &mut dyn FnMut() -> bool| {
        let mut rounds = 0;
        wait_until("the bus", || {
            for (client, herd) in [(&mut one, "u"), (&mut other, "m")] {
                client.say((0..50).map(|n| format!("IAMAT {herd}{} +1-1 5\n", said.get() + n)).collect::<String>());
                (0..50).for_each(|_| assert!(client.hear().starts_with("AT ")));
            }
            said.set(said.get() + 50);
            rounds += 1;
            rounds > 5 && until()
        });
    };
    let all = |state: BusState| ucla.running().chain(mit.running()).all(|vitals| vitals.bus.state() == state);
    say(&mut || true);
    nats.kill();
    say(&mut || all(BusState::Away));
    assert!(ucla.vitals("Clark").bus.told.load(Relaxed) < ucla.vitals("Clark").edition.load(Relaxed));
    nats.run();
    say(&mut || all(BusState::Joined));
    wait_agreed(&[&ucla, &mit], 2 * said.get());

    // And now it has lost everything.
    nats.kill();
    nats.empty();
    say(&mut || all(BusState::Away));
    nats.run();
    say(&mut || all(BusState::Joined));
    wait_agreed(&[&ucla, &mit], 2 * said.get());
    let third = joined("third", &nats);
    wait_agreed(&[&ucla, &mit, &third], 2 * said.get());
    assert_eq!(third.vitals("Bona").bus.refused.load(Relaxed), 0);
}

#[test]
fn a_bucket_that_is_deleted_is_made_again_and_told_everything() {
    let Some(nats) = Nats::start() else { return };
    let ucla = joined("ucla", &nats);
    ucla.client("Clark").ask("IAMAT kiwi +1-1 5");
    wait_level(&ucla);
    nats.put("$JS.API.STREAM.DELETE.KV_places", b"");
    ucla.client("Clark").ask("IAMAT mango +1-1 5");
    wait_until("the loss to be noticed", || ucla.log("Clark").matches("which knows nothing from here").count() == 2);
    wait_level(&ucla);
    let mit = joined("mit", &nats);
    wait_agreed(&[&ucla, &mit], 2);
}

#[test]
fn a_herd_that_has_ended_gets_its_locations_back() {
    let Some(nats) = Nats::start() else { return };
    let mut herd = joined("ucla", &nats);
    let mut client = herd.client("Clark");
    let answers: Vec<String> = (0..20).map(|n| client.ask(&format!("IAMAT kiwi{n} +1-1 5.{n}"))).collect();
    wait_agreed(&[&herd], 20);
    herd.kill("Clark");
    herd.kill("Bona");
    herd.start("Clark");
    herd.start("Bona");
    wait_agreed(&[&herd], 20);
    for (n, answer) in answers.iter().enumerate() {
        assert_eq!(&herd.client("Bona").ask(&format!("WHATSAT kiwi{n} 10 0")), answer);
    }
}

#[test]
fn a_herd_whose_bus_is_not_there_serves_and_says_so() {
    let Some(mut nats) = Nats::prepare(&["--user", "herd", "--pass", "CANARY"]) else { return };
    let mut creds = None;
    let herd = Herd::two(|config| {
        joining("ucla", &nats.url())(config);
        creds = Some(config.directory().join(CREDS_FILE));
        config.bus.as_mut().unwrap().creds_file = creds.clone();
    });
    let creds = creds.unwrap();
    let wait_for = |words: &str| {
        wait_until(words, || {
            herd.running().all(|vitals| bus_trouble(&vitals.bus).is_some_and(|why| why.contains(words)))
        });
    };
    let write = |text: &str, mode: u32| {
        let written = creds.with_extension("new");
        fs::write(&written, text).unwrap();
        fs::set_permissions(&written, fs::Permissions::from_mode(mode)).unwrap();
        fs::rename(written, &creds).unwrap();
    };
    assert!(herd.client("Clark").ask("IAMAT kiwi +1-1 5").starts_with("AT Clark"));
    wait_for("the credentials cannot be read");
    write("herd:WRONG CANARY", 0o644);
    wait_for("others can read the credentials file");
    write("herd:WRONG-CANARY\n", 0o600);
    wait_for("no NATS server answers there");
    nats.run();
    wait_for("it does not let this herd in");
    write("herd:CANARY\n", 0o600);
    wait_level(&herd);
    let log = herd.log("Clark") + &herd.log("Bona");
    assert!(
        log.contains("is away: no NATS server answers there; the server goes on") && log.contains("joined the bus")
    );
    assert!(!log.contains("CANARY"));
}

#[test]
fn what_a_person_sees_of_a_bus_that_is_away() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let field = Field::new();
    field.edit(|toml| toml + &format!("\n[bus]\nurl = \"nats://127.0.0.1:{port}\"\nservers = [\"clark\"]\n"));
    assert_eq!(field.run("up -d").code, 0);
    assert_eq!(field.run("iamat kiwi +1+1 --to Clark").code, 0);
    wait_until("ps to say so", || {
        field.run("ps").out.contains("bus away, 1 edition behind: no NATS server answers there")
    });
    let status = field.json("ps --json");
    schemas::check("ps", &status);
    let buses: Vec<_> = status["servers"].as_array().unwrap().iter().map(|server| &server["bus"]).collect();
    assert_eq!(buses.iter().filter(|bus| bus.is_object()).count(), 1, "{status}");
    let clark = status["servers"].as_array().unwrap().iter().find(|server| server["name"] == "Clark").unwrap();
    assert_eq!(
        (&clark["bus"]["state"], &clark["bus"]["told"], &clark["bus"]["lag"]),
        (&"away".into(), &0.into(), &1.into())
    );
    let page = watching::get(&field, "/metrics");
    for sample in ["herd_bus_up{server=\"Clark\"} 0\n", "herd_bus_lag_editions{server=\"Clark\"} 1\n"] {
        assert!(page.contains(sample), "{page}");
    }
    let forgot = field.run("forget kiwi");
    assert!(forgot.code == 0 && (forgot.out.clone() + &forgot.err).contains("the bus keeps it"), "{forgot:?}");
    assert_eq!(field.run("down").code, 0);
}
