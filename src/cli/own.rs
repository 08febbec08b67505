//! A herd of one's own, for `chaos --own` and `play --own`: the default five, on free ports, in a temporary folder.
//!
//! It runs in this process, on a thread of its own, so that it is gone when the process is, however that ends.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::mpsc::sync_channel;
use std::thread::{self, JoinHandle};

use crate::config::{self, Ack, Config, Places};
use crate::herd::api::{Down, Failure, Kind, Ps};
use crate::herd::{Interrupt, Supervisor, Up};
use crate::judge::plan::Rng;
use crate::limits;

pub struct OwnHerd {
    pub config: PathBuf,
    /// When it answers an `IAMAT`: `ack` and `heard` of its herd.toml.
    pub ack: (Ack, usize),
    folder: PathBuf,
    interrupt: Interrupt,
    thread: Option<JoinHandle<Result<Down, Failure>>>,
}

impl OwnHerd {
    /// Starts it, and returns when all its servers listen and are linked.
    pub fn start(from: Option<Config>) -> Result<Self, Failure> {
        let folder = temporary_folder().map_err(|why| trouble("cannot make a temporary folder", &why))?;
        let path = folder.join("herd.toml");
        let config = prepare(from, &path).inspect_err(|_| drop(fs::remove_dir_all(&folder)))?;
        let ack = (config.ack, config.heard);
        let wait_ms = u64::try_from(limits::SETTLE_MAX.as_millis()).unwrap_or(u64::MAX);
        let up =
            Up { config, port_offset: 0, only: Vec::new(), wait_ms, no_wait: false, served: None, foreground: false };
        let supervisor = Supervisor::new(up);
        let interrupt = supervisor.interrupt();
        let (ready, is_ready) = sync_channel(1);
        let tell = move |_: &Ps| {
            let _ = ready.send(());
        };
        let body = move || supervisor.run(tell);
        let thread = thread::Builder::new().name("herd".into()).spawn(body);
        let thread = thread.map_err(|why| trouble("the system gives no thread", &why))?;
        let mut own = Self { config: path, ack, folder, interrupt, thread: Some(thread) };
        match is_ready.recv() {
            Ok(()) => Ok(own),
            Err(_) => Err(own.join().err().unwrap_or_else(|| Failure::new(Kind::Failed, "the herd left at once"))),
        }
    }

    /// Ends it. Its logs are kept where something is to be found in them.
    pub fn end(mut self, keep: bool) -> Result<Option<PathBuf>, Failure> {
        self.interrupt.press();
        self.join()?;
        Ok(if keep { Some(std::mem::take(&mut self.folder)) } else { None })
    }

    fn join(&mut self) -> Result<(), Failure> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        thread.join().unwrap_or_else(|_| Err(Failure::new(Kind::Failed, "the supervisor panicked"))).map(drop)
    }
}

impl Drop for OwnHerd {
    fn drop(&mut self) {
        self.interrupt.press();
        let _ = self.join();
        if !self.folder.as_os_str().is_empty() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

fn prepare(from: Option<Config>, path: &std::path::Path) -> Result<Config, Failure> {
    let default = || config::parse(config::TEMPLATE, path).map(|(config, _)| config);
    let mut config = match from {
        Some(config) => config,
        None => default().map_err(|_| Failure::new(Kind::BadConfig, "the default herd.toml is wrong"))?,
    };
    fs::write(path, "# The herd of a herdctl chaos or play --own that runs, or has left something to be looked at.\n")
        .map_err(|why| trouble("cannot write into the temporary folder", &why))?;
    config.path = path.to_owned();
    config.log.directory = path.with_file_name("logs");
    // What happened last is enough to look at, and a long run would fill the disk.
    (config.log.file_bytes_max, config.log.files_max) = (limits::CHAOS_LOG_BYTES_MAX, 2);
    (config.secret_file, config.archive, config.bus) = (None, None, None);
    if config.ack == Ack::Stored {
        config.ack = Ack::Heard;
    }
    // Nobody else is to be asked for what nobody wants to know.
    config.places = Places::default();
    let mut rng = Rng::new(getrandom::u64().unwrap_or_else(|_| u64::from(std::process::id())));
    let mut taken = Vec::new();
    for server in &mut config.servers {
        let port = free_port(&mut rng, &mut taken).map_err(|why| trouble("no port is free", &why))?;
        server.move_to((Ipv4Addr::LOCALHOST, port).into());
    }
    Ok(config)
}

/// A free port below those of outgoing connections: a server that is started again finds its own still free.
fn free_port(rng: &mut Rng, taken: &mut Vec<TcpListener>) -> io::Result<u16> {
    const FIRST: u16 = 12_000;
    const TRIES: usize = 100;
    let mut last = io::ErrorKind::AddrInUse.into();
    for _ in 0..TRIES {
        let port = FIRST + rng.below(u64::from(limits::EPHEMERAL_PORT_FIRST - FIRST)) as u16;
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(listener) => {
                // Held until all are found, so that no two are the same.
                taken.push(listener);
                return Ok(port);
            }
            Err(why) => last = why,
        }
    }
    Err(last)
}

fn temporary_folder() -> io::Result<PathBuf> {
    let name = format!("herdctl-own-{}-{:08x}", std::process::id(), getrandom::u32().unwrap_or(0));
    let folder = std::env::temp_dir().join(name);
    fs::DirBuilder::new().mode(0o700).create(&folder)?;
    Ok(folder)
}

fn trouble(what: &str, why: &io::Error) -> Failure {
    Failure::new(Kind::Failed, format!("{what}: {why}"))
}
