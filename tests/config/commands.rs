//! The commands `check` and `init`.

use std::fs;
use std::path::PathBuf;

use herdctl::cli::{check, init};
use herdctl::config::TEMPLATE;
use snapbox::{IntoData as _, assert_data_eq, str};

use super::TWO;
use crate::support::canary::Folder;

#[test]
fn check_says_what_the_herd_is_after_its_warnings() {
    let verdict = written(TEMPLATE);
    assert!(verdict.0.ok());
    assert_eq!(verdict.0.text(false), format!("✔ {}: 5 servers, 6 links\n", verdict.1.display()));
    assert_eq!(
        verdict.0.json(),
        "{\"schema\":\"herd.check/1\",\"ok\":true,\"errors\":0,\"warnings\":0,\"mistakes\":[],\
         \"places\":{\"ok\":true,\"provider\":\"the embedded places of GeoNames\",\"asked\":false,\"status\":\"READY\",\
         \"places\":null,\"took_ms\":null,\"message\":null,\"advice\":null},\"trust\":[]}\n"
    );
    let (warned, path) = written(&TWO.replace("11001", "40000"));
    assert!(warned.ok());
    assert!(warned.text(false).ends_with(&format!("\n\n1 warning\n✔ {}: 2 servers, 1 link\n", path.display())));
}

#[test]
fn check_says_the_same_as_json() {
    let (verdict, _) = written("herd = \"ucla\"\nservers = []\n");
    assert!(!verdict.ok());
    assert_data_eq!(verdict.json(), str![[r#"
{"schema":"herd.check/1","ok":false,"errors":1,"warnings":0,"mistakes":[{"code":"H007","severity":"error","message":"`servers` holds 0 servers","line":2,"column":1,"label":"from 1 to 4096","help":null}],"places":null,"trust":[]}

"#]].raw());
}

fn written(text: &str) -> (check::Verdict, PathBuf) {
    let folder = Folder::new();
    let path = folder.path().join("herd.toml");
    fs::write(&path, text).unwrap();
    (check::check(&path, false), path)
}

#[test]
fn init_writes_a_right_herd_toml_and_never_over_another() {
    let folder = Folder::new();
    let path = init::init(folder.path(), TEMPLATE, false).unwrap();
    assert!(check::check(&path, false).ok());
    fs::write(&path, "mine").unwrap();
    assert_eq!(init::init(folder.path(), TEMPLATE, false).unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    init::init(folder.path(), TEMPLATE, true).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), TEMPLATE);
}
