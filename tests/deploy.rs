//! The examples of `tests/deploy/`, each held against what it is for.
//!
//! What needs a program or a right that this machine does not give says so and is left out; the gate installs the programs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::commands::Field;
use crate::support::canary;

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/deploy").join(name)
}

fn text(name: &str) -> String {
    fs::read_to_string(example(name)).unwrap()
}

/// What it said and whether it succeeded; nothing if there is no such program.
fn run(program: &str, arguments: &[&str]) -> Option<Output> {
    match Command::new(program).args(arguments).output() {
        Ok(output) => Some(output),
        Err(why) => {
            println!("left out: {program}: {why}");
            None
        }
    }
}

#[track_caller]
fn check(output: &Output) {
    let said = [&output.stdout[..], &output.stderr].concat();
    assert!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&said));
}

fn herdctl() -> String {
    canary::herdctl(Path::new("/")).get_program().to_str().unwrap().to_owned()
}

#[test]
fn five_hosts_are_partitioned_by_a_firewall_and_heal() {
    let probe = format!("hd-probe-{}", std::process::id());
    let Some(made) = run("ip", &["netns", "add", &probe]) else { return };
    if !made.status.success() {
        return println!("left out: network namespaces: {}", String::from_utf8_lossy(&made.stderr));
    }
    let firewall = run("ip", &["netns", "exec", &probe, "nft", "add", "table", "ip", "probe"]);
    check(&run("ip", &["netns", "del", &probe]).unwrap());
    if !firewall.is_some_and(|firewall| firewall.status.success()) {
        return println!("left out: there is no nftables");
    }
    let output = run("bash", &[example("hosts.sh").to_str().unwrap(), &herdctl()]).unwrap();
    check(&output);
    assert!(String::from_utf8_lossy(&output.stdout).ends_with("Bona is back and knows all\n"));
}

#[test]
fn systemd_takes_the_unit() {
    // systemd looks for the program, which is not installed here.
    let unit = text("herdctl@.service");
    assert!(unit.contains("ExecStart=/usr/local/bin/herdctl -c /etc/herdctl/herd.toml serve %i\n"));
    let folder = canary::Folder::new();
    let path = folder.path().join("herdctl@.service");
    fs::write(&path, unit.replace("/usr/local/bin/herdctl", &herdctl())).unwrap();
    let instance = path.to_str().unwrap().replace('@', "@Clark");
    let Some(output) = run("systemd-analyze", &["verify", "--man=no", "--recursive-errors=no", &instance]) else {
        return;
    };
    check(&output);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("herdctl@"), "{said}");
}

#[test]
fn kubernetes_takes_the_objects() {
    let path = example("kubernetes.yaml");
    let arguments = ["--strict", "--kubernetes-version", "1.31", path.to_str().unwrap()];
    let Some(output) = run("kubernetes-validate", &arguments) else { return };
    check(&output);
}

/// The herd.toml inside is one that `check` takes, and names the pods as Kubernetes will.
#[test]
fn the_config_map_holds_a_good_herd_of_its_pods() {
    let yaml = text("kubernetes.yaml");
    let (_, rest) = yaml.split_once("  herd.toml: |\n").unwrap();
    let (toml, objects) = rest.split_once("---\n").unwrap();
    let field = Field::new();
    field.edit(|_| toml.lines().map(|line| format!("{}\n", line.strip_prefix("    ").unwrap_or(line))).collect());
    let mut command = field.command(&["check"]);
    check(&command.env("HERDCTL_SECRET", "open sesame").output().unwrap());
    assert!(objects.contains("serviceName: herd\n  replicas: 5\n"));
    for pod in 0..5 {
        assert!(toml.contains(&format!("{{ name = \"herd-{pod}\", address = \"herd-{pod}.herd:11000\"")));
    }
}

/// Without building it, which takes a network: what it copies is there, and what it runs is what is built.
#[test]
fn the_image_copies_what_there_is() {
    let image = text("Containerfile");
    let copied = image.lines().filter_map(|line| line.strip_prefix("COPY "));
    let from_build: Vec<&str> = copied.filter(|line| line.starts_with("--from=build")).collect();
    assert_eq!(from_build, ["--from=build /herdctl/target/release/herdctl /usr/local/bin/herdctl"]);
    assert!(image.contains("ENTRYPOINT [\"/usr/local/bin/herdctl\"]"));
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let needed = manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap().trim_matches('"');
    assert!(image.contains(&format!("rust:{needed}-")), "the image builds with the Rust that Cargo.toml asks for");
}
