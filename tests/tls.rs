//! Certificates at both ends of a link: the files that `[tls]` names, and what `check` says of them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use herdctl::config::{self, Config};
use herdctl::tls::Tls;
use rcgen::ExtendedKeyUsagePurpose;

use crate::commands::Field;
use crate::support::canary::Folder;
use crate::support::certificates::{Authority, Wish};

/// The part of a herd.toml.
const TLS: &str =
    "[tls]\nauthority = \"tls/authority.pem\"\ncertificate = \"tls/{server}.pem\"\nkey = \"tls/{server}.key\"\n";

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
    let of_another = flaw(|tls, _| Authority::new().sign(&wish()).write(tls, "Clark"));
    assert_eq!(of_another, "Clark.pem: its certificate is not from the authority in [tls]");
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
    assert!(loaded.reload(files, "Clark").unwrap().is_none());
    authority.sign(&Wish { until: 48 * 3600, ..Wish::good("Clark") }).write(&tls, "Clark");
    let renewed = loaded.reload(files, "Clark").unwrap().expect("another certificate");
    assert!(renewed.ends > loaded.ends + 20 * 3600);
    assert!(renewed.reload(files, "Clark").unwrap().is_none());
    fs::write(tls.join("Clark.pem"), "half").unwrap();
    assert!(renewed.reload(files, "Clark").is_err());
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
    assert!(one.out.contains("✔ tls: certificates of Clark, the first ends at 2"), "{one:?}");

    authority.furnish(&field.path("tls"), &["Bailey", "Bona", "Campbell", "Clark", "Jaquez"]);
    let all = field.json("check --json");
    assert!(all["trust"][0]["message"].as_str().unwrap().starts_with("5 certificates, the first ends at"), "{all}");

    fs::remove_file(field.path("tls/Clark.key")).unwrap();
    let half = field.run("check --json");
    assert_eq!(half.code, 5, "a certificate without its key: {half:?}");
    fs::set_permissions(field.path("tls/Bona.key"), fs::Permissions::from_mode(0o640)).unwrap();
    let exposed = field.run("check");
    assert!(exposed.out.contains("others can read or write it\n  chmod 600 "), "{exposed:?}");
}
