//! What a right herd.toml means.

use std::path::Path;

use herdctl::config::{Ack, Archive, Link, Log, Places, Provider, TEMPLATE, Traffic, WhenBehind, closest};
use herdctl::limits;

use super::{TWO, proven};

#[test]
fn the_template_is_the_default_herd_without_a_warning() {
    let (herd, warnings) = proven(TEMPLATE);
    assert!(warnings.is_empty(), "{warnings}");
    assert_eq!(herd.path, Path::new("/herds/one/herd.toml"));
    assert_eq!(herd.directory(), Path::new("/herds/one"));
    assert_eq!(herd.herd, "ucla");
    assert_eq!((herd.ack, herd.secret_file.as_deref()), (Ack::Heard, None));
    let servers: Vec<(&str, String)> = herd.servers.iter().map(|s| (s.name.as_str(), s.address.to_string())).collect();
    let expected = ["Bailey", "Bona", "Campbell", "Clark", "Jaquez"];
    for (i, name) in expected.into_iter().enumerate() {
        assert_eq!(servers[i], (name, format!("127.0.0.1:{}", 11000 + i)));
    }
    let [bailey, bona, campbell, clark, jaquez] = [0, 1, 2, 3, 4];
    let links: Vec<(usize, usize)> = herd.links.iter().map(|link| (link.dialer, link.listener)).collect();
    assert_eq!(
        links,
        [(clark, jaquez), (bona, clark), (bailey, campbell), (bona, campbell), (campbell, jaquez), (bailey, bona)]
    );
    assert_eq!(herd.log, default_log(Path::new("/herds/one/logs")));
    assert_eq!(herd.archive, None);
    assert_eq!(herd.places, Places { provider: Provider::Embedded });
    assert_eq!(herd.limits, default_limits());
}

#[test]
fn what_is_left_out_has_the_defaults_of_the_template() {
    let (template, _) = proven(TEMPLATE);
    let (bare, _) = proven(TWO);
    assert_eq!(
        (bare.ack, bare.log, bare.places, bare.limits),
        (template.ack, template.log, template.places, template.limits)
    );
}

/// A setting that is commented out says its default, so taking out the comment sign changes nothing.
#[test]
fn the_template_s_comments_tell_the_true_defaults() {
    let spelled_out: String = TEMPLATE
        .lines()
        .map(|line| line.strip_prefix("# ").filter(|line| line.contains("_max = ")).unwrap_or(line))
        .flat_map(|line| [line, "\n"])
        .collect();
    assert_eq!(spelled_out.matches("\nline_bytes_max").count(), 1);
    assert_eq!(proven(&spelled_out).0, proven(TEMPLATE).0);
}

fn default_log(directory: &Path) -> Log {
    Log {
        directory: directory.to_path_buf(),
        traffic: Traffic::All,
        when_behind: WhenBehind::Wait,
        file_bytes_max: limits::LOG_FILE_BYTES_MAX,
        files_max: limits::LOG_FILES_MAX,
    }
}

fn default_limits() -> herdctl::config::Limits {
    herdctl::config::Limits {
        line_bytes_max: limits::LINE_BYTES_MAX,
        connections_max: limits::CONNECTIONS_MAX,
        unread_bytes_max: limits::UNREAD_BYTES_MAX,
        unread_seconds_max: limits::UNREAD_SECONDS_MAX,
        idle_seconds_max: limits::IDLE_SECONDS_MAX,
        lookups_max: limits::LOOKUPS_MAX,
        clients_max: limits::CLIENTS_MAX,
        future_seconds_max: limits::FUTURE_SECONDS_MAX,
    }
}

#[test]
fn every_setting_can_be_set() {
    let (herd, warnings) = proven(
        r#"herd = "other"
ack = "stored"
secret_file = "keys/secret"
[[servers]]
name = "Solo"
address = "[::1]:0"
[log]
directory = "/var/log/herd"
traffic = "clients"
when_behind = "count"
file_bytes_max = 0x10_0000
files_max = 2
[archive]
path = "kept/here"
[places]
provider = "embedded"
[limits]
line_bytes_max = 1000
connections_max = 2
unread_bytes_max = 5000
unread_seconds_max = 4
idle_seconds_max = 5
lookups_max = 6
clients_max = 7
future_seconds_max = 8
"#,
    );
    assert!(warnings.is_empty(), "{warnings}");
    assert_eq!((herd.herd.as_str(), herd.ack), ("other", Ack::Stored));
    assert_eq!(herd.secret_file.as_deref(), Some(Path::new("/herds/one/keys/secret")));
    assert_eq!((herd.servers[0].name.as_str(), herd.servers[0].listen), ("Solo", "[::1]:0".parse().unwrap()));
    let log = Log {
        traffic: Traffic::Clients,
        when_behind: WhenBehind::Count,
        file_bytes_max: 1 << 20,
        files_max: 2,
        ..default_log(Path::new("/var/log/herd"))
    };
    assert_eq!(herd.log, log);
    assert_eq!(herd.archive, Some(Archive { directory: "/herds/one/kept/here".into() }));
    let l = herd.limits;
    assert_eq!((l.line_bytes_max, l.connections_max, l.unread_bytes_max, l.lookups_max), (1000, 2, 5000, 6));
    assert_eq!((l.unread_seconds_max, l.idle_seconds_max, l.clients_max, l.future_seconds_max), (4, 5, 7, 8));
}

#[test]
fn names_are_found_in_any_case() {
    let (herd, _) = proven(TEMPLATE);
    for (index, server) in herd.servers.iter().enumerate() {
        for name in [server.name.clone(), server.name.to_lowercase(), server.name.to_uppercase()] {
            assert_eq!(herd.server_named(&name), Some(index));
            let meant = closest(&name, herd.servers.iter().map(|server| server.name.as_str()));
            assert_eq!(meant, Some(server.name.as_str()));
        }
    }
    assert_eq!(herd.server_named("Clar"), None);
    assert_eq!(herd.server_named(""), None);
}

#[test]
fn neighbours_come_in_the_order_of_the_links() {
    let (herd, _) = proven(TEMPLATE);
    let of = |name: &str| -> Vec<&str> {
        herd.neighbours(herd.server_named(name).unwrap()).map(|other| herd.servers[other].name.as_str()).collect()
    };
    assert_eq!(of("clark"), ["Jaquez", "Bona"]);
    assert_eq!(of("campbell"), ["Bailey", "Bona", "Jaquez"]);
    assert_eq!(of("bailey"), ["Campbell", "Bona"]);
}

#[test]
fn the_first_in_the_file_dials_whatever_the_order_of_a_pair() {
    let turned = TWO.replace(r#"["Clark", "Bona"]"#, r#"["BONA", "clark"]"#);
    assert_eq!(proven(&turned).0, proven(TWO).0);
    assert_eq!(proven(TWO).0.links, [Link { dialer: 0, listener: 1 }]);
}

#[test]
fn a_byte_order_mark_and_windows_line_endings_change_nothing() {
    let windows = format!("\u{feff}{}", TEMPLATE.replace('\n', "\r\n"));
    assert_eq!(proven(&windows).0, proven(TEMPLATE).0);
}
