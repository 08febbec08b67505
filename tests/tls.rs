//! Certificates at both ends of a link: the files that `[tls]` names, and what `check` says of them.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use herdctl::config::{self, Config, Traffic};
use herdctl::limits;
use herdctl::protocol::hello::{Dialing, Identity};
use herdctl::server::fault::{Chance, Cut, Delay, Fault};
use herdctl::server::vitals::Phase;
use herdctl::server::{Secret, Signal};
use herdctl::tls::Tls;
use rcgen::ExtendedKeyUsagePurpose;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    SupportedProtocolVersion,
};

use crate::commands::Field;
use crate::hosts::Hosts;
use crate::support::canary::Folder;
use crate::support::certificates::{Authority, Signed, TLS, Wish, tls_in};
use crate::support::{Client, DEADLINE, Herd, wait_until};

fn herd_in(folder: &Path, more: &str) -> Config {
    let toml = format!(
        "herd = \"test\"\nservers = [ {{ name = \"Bona\", address = \"127.0.0.1:0\" }}, \
         {{ name = \"Clark\", address = \"127.0.0.1:0\" }} ]\nlinks = [ [\"Bona\", \"Clark\"] ]\n{TLS}{more}"
    );
    config::parse(&toml, &folder.join("herd.toml")).unwrap_or_else(|why| panic!("{why}")).0
}

#[test]
fn the_files_of_each_server_are_named_by_one_line() {
    let herd = herd_in(Path::new("/herds/one"), "");
    let files = herd.tls.unwrap();
    assert_eq!(files.authority, Path::new("/herds/one/tls/authority.pem"));
    assert_eq!(files.certificate_of("Clark"), Path::new("/herds/one/tls/Clark.pem"));
    assert_eq!(files.key_of("Bona"), Path::new("/herds/one/tls/Bona.key"));
    assert_eq!(files.name_of("Clark").as_ref(), "Clark");
}

#[test]
fn what_is_wrong_with_the_part_of_herd_toml_is_said() {
    let two = |more: &str| {
        let toml = format!("herd = \"test\"\nservers = [{{ name = \"Ωmega\", address = \"127.0.0.1:1\" }}]\n{more}");
        config::parse(&toml, Path::new("herd.toml")).err().map(|why| why.to_string()).unwrap_or_default()
    };
    let named = format!("{TLS}name = \"omega\"\n");
    assert_eq!(two(&named), "", "one certificate, whoever shows it");
    for (more, why) in [
        (TLS.to_owned(), "error[H009]: `Ωmega` is no DNS name, so no certificate can be for it"),
        (format!("{TLS}name = \"a b\"\n"), "`a b` is no DNS name"),
        (named.replace("{server}.pem", "{name}.pem"), "only `{server}` stands between braces"),
        (named.replace("{server}.key", "{server}}.key"), "only `{server}` stands between braces"),
        (named.replace("authority =", "authorities ="), "did you mean `authority`?"),
        ("[tls]\nname = \"omega\"\n".into(), "[tls] has no `certificate`"),
        ("tls = true\n".into(), "`tls` takes a table"),
    ] {
        let shown = two(&more);
        assert!(shown.contains(why), "{more}: {shown}");
    }
}

/// What is wrong with Clark's files after they were changed like this.
#[track_caller]
fn flaw(change: impl FnOnce(&Path, &Authority)) -> String {
    let (folder, authority) = (Folder::new(), Authority::new());
    let herd = herd_in(folder.path(), "");
    let tls = folder.path().join("tls");
    authority.furnish(&tls, &["Clark"]);
    assert!(Tls::load(herd.tls.as_ref().unwrap(), "Clark").is_ok());
    change(&tls, &authority);
    let flaw = Tls::load(herd.tls.as_ref().unwrap(), "Clark").err().expect("a flaw");
    flaw.to_string().replace(&format!("{}/", tls.display()), "")
}

#[test]
fn what_a_neighbour_would_refuse_is_refused_when_it_is_loaded() {
    let wish = || Wish::good("Clark");
    let signed = |wish: Wish| flaw(|tls, authority| authority.sign(&wish).write(tls, "Clark"));
    assert_eq!(signed(Wish::good("Bona")), "Clark.pem: its certificate is for Bona, not for Clark");
    assert_eq!(signed(Wish { names: Vec::new(), ..wish() }), "Clark.pem: its certificate is for nobody, not for Clark");
    let ended = signed(Wish { from: -60, until: -30, ..wish() });
    assert!(ended.starts_with("Clark.pem: its certificate ended at 2"), "{ended}");
    let early = signed(Wish { from: 30, ..wish() });
    assert!(early.starts_with("Clark.pem: its certificate is valid only from 2"), "{early}");
    for one_side in [ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth] {
        assert_eq!(
            signed(Wish { purposes: vec![one_side], ..wish() }),
            "Clark.pem: its certificate is not for both serverAuth and clientAuth (extendedKeyUsage)"
        );
    }
    for of_another in [Authority::called("another"), Authority::new()] {
        let why = flaw(|tls, _| of_another.sign(&wish()).write(tls, "Clark"));
        assert_eq!(why, "Clark.pem: its certificate is not from the authority in [tls]", "of the same name or not");
    }
}

#[test]
fn a_file_that_cannot_be_used_is_named() {
    let write = |file: &'static str, text: &'static str| flaw(move |tls, _| fs::write(tls.join(file), text).unwrap());
    assert_eq!(write("authority.pem", "nothing"), "authority.pem: it holds no certificate in PEM");
    assert_eq!(write("Clark.pem", ""), "Clark.pem: it holds no certificate in PEM");
    assert_eq!(write("Clark.key", ""), "Clark.key: it holds no private key in PEM that can be used");
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert_eq!(write("authority.pem", broken), "authority.pem: it holds no certificate in PEM");
    let gone = flaw(|tls, _| fs::remove_file(tls.join("Clark.key")).unwrap());
    assert!(gone.starts_with("Clark.key: No such file"), "{gone}");
    let exposed = |tls: &Path, _: &Authority| {
        fs::set_permissions(tls.join("Clark.key"), fs::Permissions::from_mode(0o644)).unwrap();
    };
    assert_eq!(flaw(exposed), "Clark.key: others can read or write it");
    let another = flaw(|tls, authority| {
        let other = authority.sign(&Wish::good("Clark")).key;
        fs::write(tls.join("Clark.key"), other).unwrap();
    });
    assert_eq!(another, "Clark.key: it is not the key of the server's certificate");
}

#[test]
fn files_are_loaded_again_when_one_has_changed() {
    let (folder, authority) = (Folder::new(), Authority::new());
    let (tls, herd) = (folder.path().join("tls"), herd_in(folder.path(), ""));
    let files = herd.tls.as_ref().unwrap();
    authority.furnish(&tls, &["Clark"]);
    let loaded = Tls::load(files, "Clark").unwrap();
    assert!(loaded.reload().unwrap().is_none());
    authority.sign(&Wish { until: 48 * 3600, ..Wish::good("Clark") }).write(&tls, "Clark");
    let renewed = loaded.reload().unwrap().expect("another certificate");
    assert!(renewed.ends > loaded.ends + 20 * 3600);
    assert!(renewed.reload().unwrap().is_none());
    fs::write(tls.join("Clark.pem"), "half").unwrap();
    assert!(renewed.reload().is_err());
}

#[test]
fn a_certificate_is_for_a_name_that_is_made_of_the_server_s() {
    let (folder, authority) = (Folder::new(), Authority::new());
    let (tls, herd) = (folder.path().join("tls"), herd_in(folder.path(), "name = \"{server}.herd.example.org\"\n"));
    authority.furnish(&tls, &["Clark"]);
    let why = Tls::load(herd.tls.as_ref().unwrap(), "Clark").err().unwrap().to_string();
    assert!(why.ends_with("its certificate is for Clark, not for Clark.herd.example.org"), "{why}");
    // Names of the domain name system have no case.
    authority.sign(&Wish::good("clark.HERD.example.org")).write(&tls, "Clark");
    assert!(Tls::load(herd.tls.as_ref().unwrap(), "Clark").is_ok());
}

#[test]
fn check_proves_the_certificates_that_are_here() {
    let (field, authority) = (Field::new(), Authority::new());
    field.edit(|toml| toml.replace("[log]", &format!("{TLS}[log]")));
    let none = field.run("check");
    assert_eq!(none.code, 5, "{none:?}");
    assert!(none.out.contains("✗ tls: /") && none.out.contains("authority.pem: No such file"), "{none:?}");

    authority.furnish(&field.path("tls"), &["Clark"]);
    let one = field.run("check");
    assert_eq!(one.code, 0, "{one:?}");
    assert!(
        one.out.contains("✔ tls: certificates of Clark (the others are not here), the first ends in 0 days, at 2"),
        "{one:?}"
    );

    authority.furnish(&field.path("tls"), &["Bailey", "Bona", "Campbell", "Clark", "Jaquez"]);
    let all = field.json("check --json");
    assert!(
        all["trust"][0]["message"].as_str().unwrap().starts_with("5 certificates, the first ends in 0 days, at 2"),
        "{all}"
    );

    fs::remove_file(field.path("tls/Clark.key")).unwrap();
    let half = field.run("check --json");
    assert_eq!(half.code, 5, "a certificate without its key: {half:?}");
    fs::set_permissions(field.path("tls/Bona.key"), fs::Permissions::from_mode(0o640)).unwrap();
    let exposed = field.run("check");
    assert!(exposed.out.contains("others can read or write it\n  chmod 600 "), "{exposed:?}");
}

#[test]
fn the_certificates_of_the_readme_are_good() {
    let script = include_str!("../README.md").split("```sh\n").find(|block| block.contains("openssl req")).unwrap();
    let script = script.split("```").next().unwrap();
    let field = Field::new();
    let mut bash = Command::new("bash");
    let made = bash.args(["-ec", script]).current_dir(field.path("")).output().unwrap();
    if made.status.code() == Some(127) {
        assert!(std::env::var_os("CI").is_none(), "openssl is missing");
        return;
    }
    assert!(made.status.success(), "{made:?}");
    field.edit(|toml| toml.replace("[log]", &format!("{TLS}[log]")));
    let check = field.run("check");
    assert!(check.code == 0 && check.out.contains("✔ tls: 5 certificates, the first ends in 89 days"), "{check:?}");
    assert_eq!(field.run("up -d").code, 0);
}

// Links.

const SERVERS: [&str; 5] = ["Bailey", "Bona", "Campbell", "Clark", "Jaquez"];

/// Restarts Bona, who dials, with other files of its own than those of Clark.
fn restart_bona(herd: &mut Herd, tls: Option<config::Tls>) {
    herd.kill("Bona");
    let clarks = Arc::clone(&herd.config);
    herd.config = Arc::new(Config { tls, ..Config::clone(&clarks) });
    herd.start("Bona");
    herd.config = clarks;
}

#[track_caller]
fn wait_logged(herd: &Herd, server: &str, words: &str) {
    wait_until(&format!("{server} to log: {words}"), || herd.log(server).contains(words));
}

#[test]
fn a_whole_herd_inside_tls_floods_is_killed_and_catches_up() {
    let mut herd = Herd::five_with(|config| Authority::new().certify(config));
    let mut client = herd.client("Clark");
    for time in 1..=200 {
        client.say(format!("IAMAT client-{time} +34.068930-118.445127 {time}\n"));
    }
    (0..200).for_each(|_| assert!(client.hear().starts_with("AT Clark ")));
    herd.wait_converged(200);
    herd.kill("Bona");
    herd.end("Campbell", Signal::PowerCut).unwrap().unwrap();
    assert!(herd.client("Bailey").ask("IAMAT alone +1+1 5").starts_with("AT Bailey "));
    assert!(client.ask("IAMAT meanwhile +1+1 5").starts_with("AT Clark "));
    herd.start("Bona");
    herd.start("Campbell");
    herd.wait_linked();
    herd.wait_converged(202);
    // A herd that stops says goodbye inside TLS.
    herd.end("Jaquez", Signal::Terminate).unwrap().unwrap();
    wait_logged(&herd, "Clark", "link Jaquez down: closed by the neighbour");
}

#[test]
fn more_than_the_kernel_takes_at_once_arrives_whole() {
    // 20 MB: more than the buffers of a connection over loopback grow to.
    const CLIENTS: usize = 5_000;
    let authority = Authority::new();
    let mut herd = Herd::two(|config| {
        authority.certify(config);
        config.log.traffic = Traffic::Off;
    });
    let mut client = herd.client("Clark");
    let mut move_all = |time: u64| {
        for first in (0..CLIENTS).step_by(50) {
            let line = |n| format!("IAMAT {n}-{} +1-1 {time}\n", "x".repeat(4_000));
            client.say((first..first + 50).map(line).collect::<String>());
            (0..50).for_each(|_| assert!(client.hear().starts_with("AT ")));
        }
    };
    herd.signal("Bona", Signal::Stop);
    herd.wait_phase("Bona", Phase::Paused);
    move_all(5);
    herd.signal("Bona", Signal::Continue);
    herd.wait_linked();
    herd.wait_converged(CLIENTS as u64);
    // And to one that knows nothing.
    herd.kill("Bona");
    move_all(6);
    herd.start("Bona");
    herd.wait_converged(CLIENTS as u64);
}

#[test]
fn faults_act_on_what_was_sealed_as_on_what_was_not() {
    let herd = Herd::two(|config| Authority::new().certify(config));
    let some = |percent| Chance { percent, seed: 7 };
    let delay = Delay { by: Duration::from_millis(5), jitter: Duration::from_millis(5), seed: 7 };
    herd.fault_both(
        "Bona",
        "Clark",
        Fault { loss: some(20.0), dup: some(20.0), reorder: some(20.0), delay, ..Fault::default() },
    );
    let mut client = herd.client("Clark");
    for time in 1..=300 {
        assert!(client.ask(&format!("IAMAT client-{time} +1+1 {time}")).starts_with("AT Clark "));
    }
    herd.fault_both("Bona", "Clark", Fault::default());
    herd.wait_converged(300);
    wait_logged(&herd, "Clark", "link Bona: something was lost, telling it again");
    herd.fault_both("Bona", "Clark", Fault { cut: Some(Cut::Silent), ..Fault::default() });
    // Who notices first closes the connection, which the other then sees.
    wait_until("an end to call the link dead", || {
        ["Bona", "Clark"].iter().any(|end| herd.log(end).contains("down: heard nothing for 2.9 s"))
    });
    herd.fault_both("Bona", "Clark", Fault { cut: Some(Cut::Closed), ..Fault::default() });
    wait_logged(&herd, "Bona", "no link to Clark: the link is cut (a fault)");
    herd.fault_both("Bona", "Clark", Fault::default());
    herd.wait_linked();
}

#[test]
fn a_power_cut_resets_links_inside_tls_and_a_kill_ends_them_without_goodbye() {
    let authority = Authority::new();
    for (signal, resets) in [(Signal::Kill, false), (Signal::PowerCut, true)] {
        let mut herd = Herd::two(|config| authority.certify(config));
        herd.kill("Bona");
        let mut stream = linked_as_bona(&herd, &authority);
        herd.end("Clark", signal).unwrap().unwrap();
        let ended = stream.read_to_end(&mut Vec::new()).unwrap_err().kind();
        assert_eq!(ended, if resets { ErrorKind::ConnectionReset } else { ErrorKind::UnexpectedEof }, "{signal:?}");
    }
}

#[test]
fn what_begins_like_tls_and_is_not_is_dropped_and_costs_nobody_else_anything() {
    let herd = Herd::two(|config| Authority::new().certify(config));
    let record = |length: u16, bytes: &[u8]| [&[0x16, 3, 1], &length.to_be_bytes()[..], bytes].concat();
    let junk = [
        record(5, b"hello"),
        record(0xffff, &[0; 70_000]),
        // A message that is announced to be long and comes in the smallest pieces.
        [record(4, &[1, 0xff, 0xff, 0xff]), record(1, &[0]).repeat(20_000)].concat(),
        record(0, &[]).repeat(1000),
        [record(4, &[1, 0, 0, 0]), b"PEER 1 test Bona Clark 7 0\n".to_vec()].concat(),
    ];
    for bytes in junk {
        let mut client = herd.client("Clark");
        // It may hang up before it has heard all.
        let _ = client.stream.write_all(&bytes);
        wait_until("it to be dropped", || client.is_gone());
    }
    let mut silent: Vec<Client> = (0..50).map(|_| herd.client("Clark")).collect();
    silent.iter_mut().for_each(|client| client.say([0x16, 3]));
    let start = Instant::now();
    assert!(herd.client("Clark").ask("IAMAT kiwi +1-1 5").starts_with("AT Clark "));
    assert!(start.elapsed() < limits::HANDSHAKE_MAX);
    // Whoever speaks TLS is told in TLS that it is over: an alert.
    silent.iter_mut().for_each(|client| assert_eq!(client.hear_out(), [0x15, 3, 3, 0, 2, 1, 0]));
    wait_logged(&herd, "Clark", "claimed to be a neighbour, but it does not answer");
    herd.wait_linked();
    herd.wait_converged(1);
}

#[test]
fn what_is_said_between_neighbours_is_not_read_on_the_way() {
    let herd = Herd::two(|config| Authority::new().certify(config));
    let (through, heard) = wiretap(herd.address("Clark"));
    let mut herd = herd;
    herd.kill("Bona");
    let clarks = Arc::clone(&herd.config);
    let mut bonas = Config::clone(&clarks);
    bonas.servers[1].address = through.into();
    herd.config = Arc::new(bonas);
    herd.start("Bona");
    herd.config = clarks;
    assert!(herd.client("Clark").ask("IAMAT in-the-clear +1-1 5").starts_with("AT Clark "));
    herd.wait_converged(1);
    let heard = heard.lock().unwrap();
    assert!(heard.len() > 1000 && heard.starts_with(&[0x16, 0x03]), "{}", heard.len());
    for secret in ["PEER", "PROOF", "TOLD", "in-the-clear", "test"] {
        assert!(memchr::memmem::find(&heard, secret.as_bytes()).is_none(), "{secret}");
    }
}

/// Hands everything on to that address, both ways, and keeps it.
fn wiretap(to: SocketAddr) -> (SocketAddr, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (here, heard) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
    let kept = Arc::clone(&heard);
    thread::spawn(move || {
        for inward in listener.incoming().map_while(Result::ok) {
            let Ok(outward) = TcpStream::connect(to) else { continue };
            for (mut from, mut to) in [(inward.try_clone().unwrap(), outward.try_clone().unwrap()), (outward, inward)] {
                let kept = Arc::clone(&kept);
                thread::spawn(move || {
                    let mut bytes = [0; 4096];
                    while let Ok(read @ 1..) = from.read(&mut bytes) {
                        kept.lock().unwrap().extend_from_slice(&bytes[..read]);
                        if to.write_all(&bytes[..read]).is_err() {
                            break;
                        }
                    }
                    let _ = to.shutdown(Shutdown::Both);
                });
            }
        }
    });
    (here, heard)
}

#[test]
fn clients_speak_plainly_on_the_same_port_whatever_they_begin_with() {
    let herd = Herd::two(|config| Authority::new().certify(config));
    let mut client = herd.client("Clark");
    assert!(client.ask("IAMAT kiwi +1-1 5").starts_with("AT Clark "));
    assert_eq!(herd.client("Clark").ask("\u{16}"), "? \u{16}\n");
    assert_eq!(herd.client("Clark").ask("\u{16}x"), "? \u{16}x\n");
    assert!(client.ask("IAMAT kiwi \u{16}\u{3}\u{1} 5").starts_with("? "), "only at the beginning");
    herd.wait_converged(1);
}

#[test]
fn another_authority_is_refused_and_both_ends_say_so() {
    let mut herd = Herd::two(|config| Authority::new().certify(config));
    let other = herd.folder().join("other");
    Authority::called("another").furnish(&other.join("tls"), &["Bona"]);
    restart_bona(&mut herd, Some(tls_in(&other)));
    wait_logged(&herd, "Bona", "no link to Clark: its certificate is not from the authority in [tls]");
    wait_logged(&herd, "Clark", "claimed to be a neighbour, but it does not trust the authority of our certificate");
    assert_eq!(herd.vitals("Clark").links_live(), 0);

    // Where only the listener does not know the other's authority, the listener says what is wrong.
    let both = fs::read_to_string(other.join("tls/authority.pem")).unwrap()
        + &fs::read_to_string(herd.folder().join("tls/authority.pem")).unwrap();
    fs::write(other.join("tls/authority.pem"), both).unwrap();
    wait_logged(&herd, "Clark", "claimed to be a neighbour, but its certificate is not from the authority in [tls]");
    wait_logged(&herd, "Bona", "no link to Clark: it does not trust the authority of our certificate");
}

#[test]
fn a_certificate_that_ends_while_the_herd_runs_is_refused_until_it_is_renewed() {
    let authority = Authority::new();
    let mut herd = Herd::two(|config| authority.certify(config));
    let (tls, brief) = (herd.folder().join("tls"), herd.folder().join("brief"));
    authority.furnish(&brief.join("tls"), &["Bona"]);
    authority.sign(&Wish { until: 2, ..Wish::good("Bona") }).write(&brief.join("tls"), "Bona");
    restart_bona(&mut herd, Some(tls_in(&brief)));
    herd.wait_linked();
    wait_until("the certificate to end", || Tls::load(&tls_in(&brief), "Bona").is_err());
    assert_eq!(herd.vitals("Clark").links_live(), 1, "a link that is up stays up");
    herd.kill("Clark");
    herd.start("Clark");
    wait_logged(&herd, "Clark", "claimed to be a neighbour, but its certificate ended at 2");
    wait_logged(&herd, "Bona", "no link to Clark: it says that our certificate has ended, or has not begun");

    authority.sign(&Wish::good("Bona")).write(&brief.join("tls"), "Bona");
    herd.wait_linked();
    wait_logged(&herd, "Bona", "the certificate has changed: it ends at 2");

    // Files that cannot be used leave a server what it has.
    fs::write(tls.join("Clark.pem"), "half a cert").unwrap();
    herd.kill("Bona");
    herd.start("Bona");
    herd.wait_linked();
    wait_logged(&herd, "Clark", "the certificate stays what it was: ");
}

#[test]
fn a_certificate_of_another_server_is_refused_at_either_end() {
    let authority = Authority::new();
    let mut herd = Herd::two(|config| authority.certify(config));
    // Mallory has a certificate of the authority and knows the secret, and says that it is Bona.
    herd.kill("Bona");
    let mallory = authority.sign(&Wish::good("Mallory"));
    let mut stream = tls_client(&herd, &authority, Some(&mallory), &rustls::version::TLS13);
    let hello = as_bona(&herd).hello().to_owned();
    assert_eq!(ask(&mut stream, &hello), format!("? {hello}\n"));
    wait_logged(&herd, "Clark", "claimed to be a neighbour, but its certificate is for Mallory, not for Bona");

    // Mallory listens where Clark did.
    herd.kill("Clark");
    let listener = wait_bound(herd.address("Clark"));
    herd.start("Bona");
    let (socket, _) = listener.accept().unwrap();
    let said = serve_tls(socket, &authority, &mallory).unwrap_err().to_string();
    assert!(said.contains("BadCertificate"), "{said}");
    wait_logged(&herd, "Bona", "no link to Clark: its certificate is for Mallory, not for Clark");
}

#[test]
fn who_speaks_an_older_tls_or_shows_no_certificate_is_refused() {
    let authority = Authority::new();
    let mut herd = Herd::two(|config| authority.certify(config));
    let bona = authority.sign(&Wish::good("Bona"));
    let refused = |certificate: Option<&Signed>, version| {
        let mut stream = tls_client(&herd, &authority, certificate, version);
        let mut byte = [0];
        stream.write_all(b"PEER\n").and_then(|()| stream.read_exact(&mut byte)).unwrap_err().to_string()
    };
    let older = refused(Some(&bona), &rustls::version::TLS12);
    assert!(older.contains("ProtocolVersion"), "{older}");
    wait_logged(&herd, "Clark", "claimed to be a neighbour, but it does not speak TLS 1.3");
    let nameless = refused(None, &rustls::version::TLS13);
    assert!(nameless.contains("CertificateRequired"), "{nameless}");
    wait_logged(&herd, "Clark", "claimed to be a neighbour, but it shows no certificate");

    // A listener that has only the older one.
    herd.kill("Clark");
    let listener = wait_bound(herd.address("Clark"));
    let (socket, _) = listener.accept().unwrap();
    let config = ServerConfig::builder_with_protocol_versions(&[&rustls::version::TLS12]);
    let clark = authority.sign(&Wish::good("Clark"));
    let config = config.with_no_client_auth().with_single_cert(chain(&clark), key(&clark)).unwrap();
    let mut stream = StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), socket);
    assert!(stream.read_exact(&mut [0]).is_err());
    wait_logged(&herd, "Bona", "no link to Clark: it does not speak TLS 1.3");
}

#[test]
fn plain_and_tls_do_not_mix_and_both_ends_say_so() {
    let mut herd = Herd::two(|config| Authority::new().certify(config));
    restart_bona(&mut herd, None);
    wait_logged(&herd, "Clark", "claimed to be a neighbour, but it speaks plainly, and [tls] wants links inside TLS");
    wait_logged(&herd, "Bona", "no link to Clark: it wants links inside TLS, and herd.toml has no [tls]");

    let tls = herd.config.tls.clone();
    herd.kill("Clark");
    herd.config = Arc::new(Config { tls: None, ..Config::clone(&herd.config) });
    herd.start("Clark");
    herd.wait_linked();
    restart_bona(&mut herd, tls);
    wait_logged(&herd, "Clark", "claimed to be a neighbour, but it speaks TLS, and herd.toml has no [tls]");
    wait_logged(&herd, "Bona", "no link to Clark: it does not speak TLS");
    assert_eq!(herd.vitals("Clark").links_live(), 0);
}

#[test]
fn the_secret_is_proven_inside_tls_as_well() {
    let mut herd = Herd::two(|config| Authority::new().certify(config));
    herd.kill("Bona");
    herd.secret = Secret::fixed(b"CANARY: another");
    herd.start("Bona");
    wait_logged(&herd, "Bona", "no link to Clark: it does not know the herd's secret");
}

fn as_bona(herd: &Herd) -> Dialing<'_> {
    let me = Identity { herd: "test", server: "Bona", run: 7, secret: herd.secret(), also: None };
    Dialing::new(me, "Clark", [1; 16])
}

/// A link with Clark that says nothing more.
fn linked_as_bona(herd: &Herd, authority: &Authority) -> StreamOwned<ClientConnection, TcpStream> {
    let bona = authority.sign(&Wish::good("Bona"));
    let mut stream = tls_client(herd, authority, Some(&bona), &rustls::version::TLS13);
    let dialing = as_bona(herd);
    let hello = dialing.hello().to_owned();
    let answer = ask(&mut stream, &hello);
    let (_, proof) = dialing.hear(answer.trim_end().as_bytes()).unwrap();
    assert_eq!(ask(&mut stream, &format!("{proof}\nHEARD 0")), "HEARD 0\n");
    wait_logged(herd, "Clark", "IN    Bona | HEARD 0");
    stream
}

/// Says a line and hears one.
fn ask(stream: &mut (impl Read + Write), line: &str) -> String {
    stream.write_all(format!("{line}\n").as_bytes()).unwrap();
    let mut answer = Vec::new();
    while answer.last() != Some(&b'\n') {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
    }
    String::from_utf8(answer).unwrap()
}

fn chain(signed: &Signed) -> Vec<CertificateDer<'static>> {
    vec![CertificateDer::from_pem_slice(signed.certificate.as_bytes()).unwrap()]
}

fn key(signed: &Signed) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_slice(signed.key.as_bytes()).unwrap()
}

fn roots(authority: &Authority) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
    roots
}

/// Connects to Clark with TLS of this version, with this certificate or none.
fn tls_client(
    herd: &Herd,
    authority: &Authority,
    shown: Option<&Signed>,
    version: &'static SupportedProtocolVersion,
) -> StreamOwned<ClientConnection, TcpStream> {
    let config = ClientConfig::builder_with_protocol_versions(&[version]).with_root_certificates(roots(authority));
    let config = match shown {
        Some(signed) => config.with_client_auth_cert(chain(signed), key(signed)).unwrap(),
        None => config.with_no_client_auth(),
    };
    let socket = TcpStream::connect(herd.address("Clark")).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    StreamOwned::new(ClientConnection::new(Arc::new(config), "Clark".try_into().unwrap()).unwrap(), socket)
}

/// Shows this certificate to who has connected, and reads a byte.
fn serve_tls(socket: TcpStream, authority: &Authority, shown: &Signed) -> std::io::Result<()> {
    let clients = WebPkiClientVerifier::builder(Arc::new(roots(authority))).build().unwrap();
    let config = ServerConfig::builder().with_client_cert_verifier(clients);
    let config = config.with_single_cert(chain(shown), key(shown)).unwrap();
    StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), socket).read_exact(&mut [0])
}

fn wait_bound(address: SocketAddr) -> TcpListener {
    let mut listener = None;
    wait_until("the address to be free", || {
        listener = TcpListener::bind(address).ok();
        listener.is_some()
    });
    listener.unwrap()
}

// Processes.

#[test]
fn five_hosts_each_with_its_own_key_are_one_herd_with_no_secret() {
    let mut hosts = Hosts::new(81, "");
    let authority = Authority::new();
    for server in SERVERS {
        let toml = fs::read_to_string(hosts.path(server, "herd.toml")).unwrap();
        fs::write(hosts.path(server, "herd.toml"), format!("{toml}\n{TLS}")).unwrap();
        authority.furnish(&hosts.path(server, "tls"), &[server]);
        hosts.start(server);
    }
    hosts.level(0);
    assert_eq!(hosts.run("Clark", "iamat kiwi +1+1 --to Clark").code, 0);
    hosts.level(1);
    hosts.kill("Clark");
    hosts.start("Clark");
    hosts.level(1);

    // Bona's new certificate is from somebody else: the events of both ends say what is wrong.
    hosts.kill("Bona");
    Authority::new().furnish(&hosts.path("Bona", "tls"), &["Bona"]);
    hosts.start("Bona");
    hosts.wait("Bona to run", || hosts.ps("Bona").is_some());
    let refused = hosts.run("Bona", "wait --event link.refused --since 0 --json").out;
    assert!(refused.contains("its certificate is not from the authority in [tls]"), "{refused}");
    // It dials on and on, and each time that is said.
    let refused = hosts.run("Clark", "events --kind client.gone --since 0 --count 6 --json").out;
    assert!(refused.contains("it does not trust the authority of our certificate"), "{refused}");
    authority.furnish(&hosts.path("Bona", "tls"), &["Bona"]);
    hosts.level(1);
}

#[test]
fn a_herd_whose_certificates_are_not_good_does_not_come_up() {
    let (field, authority) = (Field::new(), Authority::new());
    field.edit(|toml| toml.replace("[log]", &format!("{TLS}[log]")));
    authority.furnish(&field.path("tls"), &["Bailey", "Bona", "Campbell", "Clark"]);
    let refused = field.run("up -d --json");
    assert_eq!(refused.code, 5, "{refused:?}");
    let why = refused.failure()["message"].as_str().unwrap().to_owned();
    assert!(why.starts_with("[tls] /") && why.contains("Jaquez.pem: No such file"), "{why}");
    authority.furnish(&field.path("tls"), &["Jaquez"]);
    assert_eq!(field.run("up -d").code, 0);
    assert!(field.run("logs Clark --grep proved -n 50").code == 0);
    // One that has gone bad meanwhile is found when its server starts.
    assert_eq!(field.run("kill Clark").code, 0);
    fs::write(field.path("tls/Clark.pem"), "").unwrap();
    let start = field.run("start Clark --json");
    assert!(start.code != 0 && start.err.contains("Clark.pem: it holds no certificate in PEM"), "{start:?}");
}
