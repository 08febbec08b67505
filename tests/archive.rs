//! What a herd knows when it is over: archives, of herds in this process and of the real binary.

use std::fs;
use std::io::{ErrorKind, Read};
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;

use herdctl::config::{Ack, Archive, Config};
use herdctl::server::Signal;
use nix::sys::signal::{Signal as Unix, kill};
use nix::unistd::Pid;

use crate::commands::Field;
use crate::losses::{self, Level};
use crate::support::{Herd, wait_until};

fn archived(ack: Ack) -> impl FnOnce(&mut Config) {
    move |config| {
        config.ack = ack;
        config.archive = Some(Archive { directory: config.directory().join("data") });
    }
}

fn file(herd: &Herd, name: &str) -> PathBuf {
    herd.folder().join(format!("data/{name}.redb"))
}

#[test]
fn what_was_answered_outlives_the_whole_herd() {
    let mut herd = Herd::two(archived(Ack::Stored));
    let answers: Vec<String> = ["Clark", "Bona", "Clark"]
        .iter()
        .enumerate()
        .map(|(n, name)| herd.client(name).ask(&format!("IAMAT kiwi{n} +1-1 1621464827.9{n}")))
        .collect();
    herd.kill("Clark");
    herd.kill("Bona");
    herd.start("Clark");
    herd.start("Bona");
    for (n, answer) in answers.iter().enumerate() {
        for name in ["Clark", "Bona"] {
            let mut client = herd.client(name);
            client.say(format!("WHATSAT kiwi{n} 10 0\n"));
            assert_eq!(&client.hear(), answer, "the same bytes");
        }
    }
    assert!(herd.log("Clark").contains("3 clients loaded from the archive in"));
}

#[test]
fn a_stopping_server_stores_what_it_knows() {
    let mut herd = Herd::two(archived(Ack::Heard));
    for n in 0..200 {
        herd.client("Clark").ask(&format!("IAMAT kiwi{n} +1-1 5"));
    }
    herd.end("Bona", Signal::Terminate).unwrap().unwrap();
    herd.end("Clark", Signal::Terminate).unwrap().unwrap();
    for name in ["Bona", "Clark"] {
        herd.start(name);
        wait_until("all to be loaded", || herd.vitals(name).knows.load(Relaxed) == 200);
        herd.kill(name);
    }
}

#[test]
fn a_loaded_server_and_its_neighbours_bring_each_other_up_to_date() {
    let mut herd = Herd::two(archived(Ack::Stored));
    for line in ["IAMAT kiwi +1-1 5", "IAMAT mango +1-1 5"] {
        herd.client("Clark").ask(line);
    }
    herd.kill("Clark");
    wait_until("the link to be down", || herd.vitals("Bona").links_live() == 0);
    let newer = herd.client("Bona").ask("IAMAT kiwi +2-2 6");
    herd.kill("Bona");
    herd.start("Clark");
    herd.start("Bona");
    herd.wait_linked();
    herd.wait_converged(2);
    assert_eq!(herd.client("Clark").ask("WHATSAT kiwi 10 0"), newer);
    // One comes back with what it knew, the other with nothing.
    herd.kill("Bona");
    herd.kill("Clark");
    fs::remove_file(file(&herd, "Bona")).unwrap();
    herd.start("Clark");
    herd.start("Bona");
    herd.wait_linked();
    herd.wait_converged(2);
    assert_eq!(herd.client("Bona").ask("WHATSAT kiwi 10 0"), newer);
}

#[test]
fn a_disk_in_trouble_holds_up_only_answers_that_say_stored() {
    for ack in [Ack::Heard, Ack::Stored] {
        let mut herd = Herd::two(archived(ack));
        herd.client("Clark").ask("IAMAT kiwi +1-1 5");
        let path = file(&herd, "Clark");
        wait_until("the first to be stored", || herd.vitals("Clark").archive.stored.load(Relaxed) == 1);
        // Whoever unmounts a disk does this, and leaves something else in its place.
        fs::rename(&path, path.with_file_name("away")).unwrap();
        fs::create_dir(&path).unwrap();
        let mut client = herd.client("Clark");
        client.say("IAMAT kiwi +2-2 6\n");
        wait_until("the log to say so", || herd.log("Clark").contains("Clark.redb is not written: "));
        wait_until("the vitals to say so", || herd.vitals("Clark").archive.trouble.load(Relaxed) != 0);
        if ack == Ack::Heard {
            assert!(client.hear().starts_with("AT Clark"));
        } else {
            client.stream.set_nonblocking(true).unwrap();
            assert_eq!(client.stream.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
            client.stream.set_nonblocking(false).unwrap();
        }
        // Everything else goes on.
        assert!(herd.client("Clark").ask("WHATSAT kiwi 10 0").ends_with(" kiwi +2-2 6\n"));
        wait_until("the neighbour to know", || {
            herd.vitals("Bona").digest.load(Relaxed) == herd.vitals("Clark").digest.load(Relaxed)
        });

        fs::remove_dir(&path).unwrap();
        if ack == Ack::Stored {
            assert!(client.hear().starts_with("AT Clark"), "as soon as it is true");
        }
        wait_until("all to be stored", || herd.vitals("Clark").archive.stored.load(Relaxed) == 2);
        assert_eq!(herd.vitals("Clark").archive.trouble.load(Relaxed), 0);
        wait_until("the log to say so", || herd.log("Clark").contains("the archive is written again"));
        herd.kill("Bona");
        herd.kill("Clark");
        herd.start("Clark");
        assert!(herd.client("Clark").ask("WHATSAT kiwi 10 0").ends_with(" kiwi +2-2 6\n"));
    }
}

#[test]
fn nothing_heard_is_lost_with_the_server_that_answered_nor_heard_by_two_with_one_of_them() {
    let one = Level { ack: Ack::Heard, heard: 1, victims: &["Clark"] };
    let two = Level { ack: Ack::Heard, heard: 2, victims: &["Clark", "Bona"] };
    for (level, kills) in [(one, 100), (two, 50)] {
        for signal in [Signal::Kill, Signal::PowerCut] {
            let found = losses::of_kills(level, kills, signal);
            assert!(found.kills == kills && found.answered >= kills, "{found:?}");
            assert_eq!((found.lost_while_down, found.lost), (0, 0), "{level:?}, {signal:?}: {found:?}");
        }
    }
}

#[test]
fn a_client_that_was_forgotten_does_not_come_back_from_the_disk() {
    let field = Field::new();
    field.edit(|toml| toml.replace("# [archive] ", "[archive] ").replace("# path = \"data\"", "path = \"data\""));
    for (known, line) in [(0, "forget kiwi"), (1, "ps")] {
        assert_eq!(field.run("up -d").code, 0);
        assert_eq!(knows(&field), [known; 5]);
        assert_eq!(field.run("iamat kiwi +1+1 --to Clark").code, 0);
        assert_eq!(field.run("iamat mango +1+1 --to Bona").code, 0);
        wait_until("all to be stored", || {
            let status = field.json("ps --json");
            status["servers"]
                .as_array()
                .unwrap()
                .iter()
                .all(|server| server["archive"]["lag"] == 0 && server["knows"] == 2)
        });
        let done = field.run(line);
        assert_eq!(done.code, 0, "{done:?}");
        assert_eq!(field.run("down").code, 0);
    }
}

#[test]
fn a_supervisor_that_dies_takes_nothing_stored_with_it() {
    let field = Field::new();
    field.edit(|toml| {
        toml.replace("ack = \"heard\"", "ack = \"stored\"")
            .replace("# [archive] ", "[archive] ")
            .replace("# path = \"data\"", "path = \"data\"")
    });
    for round in 0..3 {
        let up = field.run("up -d");
        assert_eq!(up.code, 0, "{}", up.err);
        assert_eq!(knows(&field), [round * 500; 5], "round {round}");
        let lines: Vec<String> = (0..500).map(|n| format!("IAMAT c{round}-{n} +1+1 {round}")).collect();
        let server = ["Clark", "Bailey", "Jaquez"][round as usize];
        let args: Vec<&str> = ["send", server].into_iter().chain(lines.iter().map(String::as_str)).collect();
        assert_eq!(field.args(&args).out.lines().filter(|line| line.starts_with("AT ")).count(), 500);
        let status = field.json("ps --json");
        let named = status["servers"].as_array().unwrap().iter().find(|named| named["name"] == server).unwrap();
        let archive = &named["archive"];
        assert!(archive["trouble"].is_null() && archive["committed"].is_string(), "{archive}");
        assert_eq!(archive["stored"], (round + 1) * 500);
        let pid = Pid::from_raw(status["pid"].as_i64().unwrap() as i32);
        kill(pid, Unix::SIGKILL).unwrap();
        wait_until("the supervisor to be gone", || kill(pid, None).is_err());
    }
}

/// What each server knows, once they agree.
fn knows(field: &Field) -> Vec<u64> {
    let mut knows = Vec::new();
    wait_until("the herd to converge", || {
        let status = field.json("ps --json");
        knows = status["servers"].as_array().unwrap().iter().map(|server| server["knows"].as_u64().unwrap()).collect();
        status["summary"]["converged"] == true
    });
    knows
}

#[test]
fn a_damaged_archive_stops_its_server_and_says_what_to_do() {
    let field = Field::new();
    field.edit(|toml| toml.replace("# [archive] ", "[archive] ").replace("# path = \"data\"", "path = \"data\""));
    fs::create_dir(field.path("data")).unwrap();
    let path = field.path("data/Clark.redb");
    fs::write(&path, "a torn file").unwrap();
    let up = field.run("up -d");
    assert_eq!(up.code, 1, "{}", up.out);
    let expected = format!("Clark failed: cannot use the archive {}: it is damaged (", path.display());
    assert!(up.err.contains(&expected), "{}", up.err);
    assert!(up.err.contains("); to start without it, move it away or take [archive] out of herd.toml"), "{}", up.err);
    assert_eq!(fs::read(&path).unwrap(), b"a torn file");
    assert!(fs::read_to_string(field.path("logs/Clark.log")).unwrap().contains("ERROR cannot use the archive"));

    // Another server's is no better.
    fs::rename(field.path("data/Bona.redb"), &path).unwrap();
    let up = field.run("up -d --json");
    assert_eq!(up.code, 1);
    assert!(up.failure()["message"].as_str().unwrap().contains("it belongs to server Bona of herd ucla"), "{}", up.err);
    fs::rename(&path, field.path("data/Bona.redb")).unwrap();
    assert_eq!(field.run("up -d").code, 0);

    // And what a person sees of trouble.
    fs::rename(&path, field.path("away")).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(field.run("iamat kiwi +1+1 --to Clark").code, 0);
    wait_until("ps to say so", || field.run("ps").out.contains("archive not written, 1 edition behind: "));
    fs::remove_dir(&path).unwrap();
    wait_until("ps to say no more", || !field.run("ps").out.contains("archive not written"));
}
