//! A real nats-server on a free port, with a store in a folder of its own, that can be killed and started again.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use crate::support::canary::Folder;
use crate::support::wait_until;

/// A NATS server that can be killed and started again.
pub struct Nats {
    port: u16,
    store: Folder,
    args: Vec<String>,
    process: Option<Child>,
}

impl Nats {
    /// A server that runs; nothing where the program is missing.
    pub fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    pub fn start_with(args: &[&str]) -> Option<Self> {
        let mut nats = Self::prepare(args)?;
        nats.run();
        Some(nats)
    }

    /// A server that does not run yet.
    pub fn prepare(args: &[&str]) -> Option<Self> {
        let found = Command::new("nats-server").arg("--version").stdout(Stdio::null()).status();
        if found.is_err() {
            assert!(std::env::var_os("CI").is_none(), "nats-server is missing");
            eprintln!("skipped: nats-server is missing (apt-get install nats-server)");
            return None;
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let args = args.iter().map(|&arg| arg.to_owned()).collect();
        Some(Self { port, store: Folder::new(), args, process: None })
    }

    pub fn run(&mut self) {
        let process = Command::new("nats-server")
            .args(["-a", "127.0.0.1", "-p", &self.port.to_string(), "-js", "-sd"])
            .arg(self.store.path())
            .args(&self.args)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.process = Some(process.unwrap());
        wait_until("the bus to answer", || TcpStream::connect(("127.0.0.1", self.port)).is_ok());
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// A store that holds nothing.
    pub fn empty(&mut self) {
        self.store = Folder::new();
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Puts anything anywhere, as anybody could, and waits until it is there.
    pub fn put(&self, subject: &str, value: &[u8]) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(stream, "CONNECT {{\"verbose\":false}}\r\nPUB {subject} {}\r\n", value.len()).unwrap();
        stream.write_all(value).unwrap();
        stream.write_all(b"\r\nPING\r\n").unwrap();
        let mut lines = BufReader::new(stream).lines();
        assert!(lines.any(|line| line.unwrap() == "PONG"));
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        if self.process.is_some() {
            self.kill();
        }
    }
}
