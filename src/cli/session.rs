//! What every command needs: the global flags, the environment, the way out, and from them the herd that is
//! meant. Flags win over the environment, the environment over what is found.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::args::Global;
use super::client::{Client, Remote, Target};
use super::human;
use super::output::Output;
use super::term::Wishes;
use crate::config::{self, Config, Mistakes, Server};
use crate::herd::api::{Failure, Kind};
use crate::herd::den;
use crate::herd::token::Token;

/// How long a control call may take unless `--timeout` says otherwise.
pub const ANSWER_MAX: Duration = Duration::from_secs(5);

/// All that is taken from the environment of the process.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    pub wishes: Wishes,
    /// `HERD_CONFIG`
    pub config: Option<PathBuf>,
    /// `HERD_SOCKET`
    pub socket: Option<PathBuf>,
    /// `HERD_NO_INPUT`
    pub no_input: bool,
    pub here: Option<PathBuf>,
    pub home: Option<PathBuf>,
}

impl Surroundings {
    pub fn of_process() -> Self {
        let var = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let set = |name| var(name).is_some_and(|value| value != "0");
        Self {
            wishes: Wishes {
                // https://no-color.org: any value that is not empty.
                no_color: var("NO_COLOR").is_some(),
                force: set("CLICOLOR_FORCE"),
                dumb: var("TERM").is_some_and(|term| term == "dumb"),
            },
            config: var("HERD_CONFIG").map(PathBuf::from),
            socket: var("HERD_SOCKET").map(PathBuf::from),
            no_input: set("HERD_NO_INPUT"),
            here: std::env::current_dir().ok(),
            home: var("HOME").map(PathBuf::from),
        }
    }
}

/// One run of a command.
pub struct Session {
    pub global: Global,
    pub surroundings: Surroundings,
    pub out: Output,
}

impl Session {
    pub fn new(global: Global, surroundings: Surroundings, out: Output) -> Self {
        Self { global, surroundings, out }
    }

    /// A second way out to the same streams, in the same shape.
    pub fn spare_output(&self) -> Output {
        let mut spare = Output::standard(self.global.color, &self.surroundings.wishes);
        (spare.json, spare.quiet, spare.verbose) = (self.out.json, self.out.quiet, self.out.verbose);
        spare
    }

    /// `--timeout`, or what this call may take without it.
    pub fn deadline(&self, otherwise: Duration) -> Duration {
        self.global.timeout.unwrap_or(otherwise)
    }

    /// Whether a person may be asked.
    pub fn may_ask(&self) -> bool {
        !self.global.no_input && !self.surroundings.no_input
    }

    /// A path as a person would write it.
    pub fn path(&self, path: &Path) -> String {
        human::path(path, self.surroundings.here.as_deref(), self.surroundings.home.as_deref())
    }

    /// The path of a herd.toml, which is never written as `./herd.toml`: people have several.
    pub fn config_name(&self, path: &Path) -> String {
        human::path(path, None, self.surroundings.home.as_deref())
    }

    /// The herd.toml that is meant, absolute.
    ///
    /// # Errors
    ///
    /// `bad_config`: there is none.
    pub fn config_path(&self) -> Result<PathBuf, Failure> {
        match self.global.config.as_ref().or(self.surroundings.config.as_ref()) {
            Some(named) => self.named_config(named),
            None => self.nearest_config(),
        }
    }

    /// The herd.toml that is meant, read and proven, and what looks wrong in it.
    ///
    /// # Errors
    ///
    /// `bad_config`: there is none, or it is wrong; what is wrong in it has been said.
    pub fn config(&mut self) -> Result<(Config, Mistakes), Failure> {
        let path = self.config_path()?;
        config::load(&path).map_err(|mistakes| {
            let wrong = |message: &str| Failure::new(Kind::BadConfig, message).hint("herdctl check");
            if self.out.json {
                return wrong(mistakes.render(false).trim_end());
            }
            let said = mistakes.render(self.out.message_pen().styled);
            self.out.complain(said.trim_end());
            wrong(&format!("{} is wrong; nothing was done", self.config_name(&path)))
        })
    }

    /// The herd that is meant.
    ///
    /// # Errors
    ///
    /// `bad_config`: neither a socket nor a herd.toml.
    pub fn target(&self) -> Result<Target, Failure> {
        let by_flag = self.global.socket.as_ref();
        let by_environment = self.surroundings.socket.as_ref().filter(|_| self.global.config.is_none());
        if let Some(socket) = by_flag.or(by_environment) {
            return Ok(Target::of_socket(self.path(socket), self.absolute(socket)));
        }
        Ok(self.target_of(self.config_path()?))
    }

    /// The herd of this herd.toml.
    pub fn target_of(&self, config: PathBuf) -> Target {
        let mut target = Target::of_socket(self.config_name(&config), den::socket(&config));
        if UnixStream::connect(&target.socket).is_err() {
            target.processes = self.processes_of(&config);
        }
        Target { config: Some(config), ..target }
    }

    /// The processes of a herd that has no supervisor, one a server; none if it is not served so.
    fn processes_of(&self, config: &Path) -> Vec<Target> {
        let Ok((herd, _)) = config::load(config) else { return Vec::new() };
        let is_served = |server: &Server| server.control.is_some() || den::was_served(config, &server.name);
        if !herd.servers.iter().any(is_served) {
            return Vec::new();
        }
        let token = Token::of(&herd);
        let target = |server: &Server| {
            // Of a process that has not been started yet, too: who watches the herd finds it when it is.
            let socket = den::socket_of_served(config, &server.name);
            let is_here = socket.exists();
            let of_socket = Target::of_socket(server.name.clone(), socket);
            let Some(at) = server.control.clone().filter(|_| !is_here) else { return of_socket };
            let name = at.to_string();
            let tls = herd.tls.as_ref();
            let tls = tls.map(|tls| (tls.name_of(&server.name).as_ref().to_owned(), tls.authority.clone()));
            let (remote, flaw) = match &token {
                Ok(token) => (Some(Remote { at, token: token.clone(), tls }), None),
                Err(flaw) => (None, Some(flaw.clone())),
            };
            Target { name, remote, flaw, ..of_socket }
        };
        herd.servers.iter().map(target).collect()
    }

    /// The way to the herd that is meant; whether it runs is seen at the first call.
    ///
    /// # Errors
    ///
    /// As [`target`](Self::target); `failed`: the system refuses what a client needs.
    pub fn client(&mut self) -> Result<Client, Failure> {
        let target = self.target()?;
        self.out.detail(&format!("control socket {}", target.socket.display()));
        Client::new(target, self.deadline(ANSWER_MAX))
    }

    /// A herd.toml that was named, or the one in a folder that was named.
    pub(super) fn named_config(&self, named: &Path) -> Result<PathBuf, Failure> {
        let mut path = self.absolute(named);
        if path.is_dir() {
            path.push("herd.toml");
        }
        // One herd has one name for its herd.toml, whatever link or `..` led to it.
        path.canonicalize().map_err(|why| {
            Failure::new(Kind::BadConfig, format!("cannot read {}: {why}", self.config_name(&path)))
                .hint("herdctl init")
        })
    }

    fn nearest_config(&self) -> Result<PathBuf, Failure> {
        let here = self.surroundings.here.as_deref().ok_or_else(|| {
            Failure::new(Kind::BadConfig, "the working directory is gone").hint("herdctl --config FILE")
        })?;
        config::find(here).map_err(|looked_in| {
            let folders: Vec<_> = looked_in.iter().map(|folder| self.config_name(folder)).collect();
            let message = format!("no herd.toml here or in any folder above\n  looked in: {}", folders.join(", "));
            Failure::new(Kind::BadConfig, message).hint("herdctl init")
        })
    }

    pub(super) fn absolute(&self, path: &Path) -> PathBuf {
        match &self.surroundings.here {
            Some(here) => here.join(path),
            None => path.to_owned(),
        }
    }
}
