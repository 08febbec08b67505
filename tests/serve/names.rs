//! Servers that find each other by host names, and whose processes share a machine.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use super::{PATIENCE, SERVERS, Served};
use crate::support::wait_until;

/// As many ports of 127.0.0.1 as that, free a moment ago.
fn free_ports(count: usize) -> Vec<u16> {
    let bound: Vec<TcpListener> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    bound.iter().map(|listener| listener.local_addr().unwrap().port()).collect()
}

#[test]
fn neighbours_dial_a_name_and_each_process_has_its_own_metrics() {
    let mut herd = Served::new();
    let ports = free_ports(2 * SERVERS.len());
    let (own, metrics) = ports.split_at(SERVERS.len());
    herd.field.edit(|toml| {
        let server = |line: &str| {
            let nth = SERVERS.iter().position(|server| line.contains(&format!("{{ name = \"{server}\"")))?;
            let (name, own, metrics) = (SERVERS[nth], own[nth], metrics[nth]);
            let reached = format!("address = \"localhost:{own}\", listen = \"127.0.0.1:{own}\"");
            Some(format!("{{ name = \"{name}\", {reached}, metrics = \"127.0.0.1:{metrics}\" }},"))
        };
        let line = |line: &str| server(line).filter(|_| !line.starts_with('#')).unwrap_or_else(|| line.to_owned());
        toml.lines().map(line).collect::<Vec<_>>().join("\n")
    });
    for server in SERVERS {
        herd.start(server);
    }
    herd.level(&SERVERS, 0);
    assert_eq!(herd.field.run("--socket .herd/Jaquez.serve/herd.sock iamat kiwi +34.07-118.45").code, 0);
    herd.level(&SERVERS, 1);

    let ask = |nth: usize, path: &str| {
        let mut stream = TcpStream::connect(("127.0.0.1", metrics[nth])).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:1\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    };
    for (nth, server) in SERVERS.iter().enumerate() {
        wait_until("it to be ready", || ask(nth, "/readyz").is_some_and(|answer| answer.ends_with("\r\n\r\nready\n")));
        let page = ask(nth, "/metrics").unwrap();
        assert!(page.contains(&format!("herd_atlas_clients{{server=\"{server}\"}} 1\n")), "{page}");
    }
    let taken = herd.field.run("serve Clark");
    assert_eq!(taken.code, 6, "{taken:?}");
}
