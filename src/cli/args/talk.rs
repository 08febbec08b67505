//! The arguments of those who talk to a server: `iamat`, `whatsat`, `send`.

use std::ffi::OsString;

use clap::Args;

#[derive(Debug, Args)]
pub struct Iamat {
    /// The client's name: one word
    pub client: OsString,
    /// Where it is: ISO 6709, as +34.068930-118.445127
    #[arg(value_name = "±LAT±LON", allow_hyphen_values = true)]
    pub location: OsString,
    /// The server to tell [default: the first that runs]
    #[arg(long, value_name = "SERVER")]
    pub to: Option<String>,
    /// When it was there: POSIX seconds [default: now]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub at: Option<OsString>,
    /// Send it even if it is wrong
    #[arg(long)]
    pub force: bool,
}

#[derive(Debug, Args)]
pub struct Whatsat {
    /// The client's name
    pub client: OsString,
    /// Kilometres, above 0, at most 50
    #[arg(allow_hyphen_values = true)]
    pub radius: OsString,
    /// How many places at most: 0 to 20
    #[arg(allow_hyphen_values = true)]
    pub count: OsString,
    /// The server to ask [default: the first that runs]
    #[arg(long, value_name = "SERVER")]
    pub to: Option<String>,
}

#[derive(Debug, Args)]
pub struct Send {
    /// A server's name, then LINEs; `-` reads standard input
    #[arg(value_name = "SERVER] [LINE|-", allow_hyphen_values = false)]
    pub words: Vec<OsString>,
    /// The server to send to [default: the first that runs]
    #[arg(long, value_name = "SERVER")]
    pub to: Option<String>,
}
