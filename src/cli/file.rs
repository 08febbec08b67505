//! `check` and `init`: the commands about herd.toml itself. Neither speaks with a herd.

use std::io::ErrorKind;
use std::path::PathBuf;

use serde::Serialize;

use super::session::Session;
use super::{Done, Exit, args, check, init};
use crate::config::{self, Shape};
use crate::herd::api::{Failure, Kind};

/// `herdctl check`: exit code 5 when the herd could not come up, 8 when its provider of places does not answer.
///
/// # Errors
///
/// `bad_config`: there is no herd.toml.
pub fn check(args: &args::Check, session: &mut Session) -> Done {
    let path = match &args.file {
        Some(named) => session.named_config(named)?,
        None => session.config_path()?,
    };
    let verdict = check::check(&path, args.places);
    if session.out.json {
        session.out.answer(verdict.json().trim_end())?;
    } else {
        let text = verdict.text(session.out.pen().styled);
        session.out.answer(text.trim_end())?;
    }
    Ok(match (verdict.ok(), verdict.answers()) {
        (false, _) => Exit::BadConfig,
        (true, false) => Exit::No,
        (true, true) => Exit::Fine,
    })
}

/// `herd.init/1`
#[derive(Serialize)]
struct Document {
    schema: &'static str,
    changed: bool,
    config: String,
}

/// `herdctl init`
///
/// # Errors
///
/// `taken`: there is a herd.toml and no `--force`; `failed`: it cannot be written.
pub fn init(args: &args::Init, session: &mut Session) -> Done {
    let text = herd_toml(args);
    if args.stdout {
        session.out.bytes(text.as_bytes())?;
        return Ok(Exit::Fine);
    }
    let folder = args.dir.clone().unwrap_or_else(|| PathBuf::from("."));
    let folder = session.absolute(&folder);
    let shown = session.path(&folder.join("herd.toml"));
    let failed = |why: &std::io::Error| match why.kind() {
        ErrorKind::AlreadyExists => {
            Failure::new(Kind::Taken, format!("there is a {shown} already; nothing was written"))
                .hint("herdctl init --force writes over it")
        }
        _ => Failure::new(Kind::Failed, format!("cannot write {shown}: {why}")),
    };
    std::fs::create_dir_all(&folder).map_err(|why| failed(&why))?;
    let path = init::init(&folder, &text, args.force).map_err(|why| failed(&why))?;
    if session.out.json {
        let config = path.to_string_lossy().into_owned();
        session.out.document(&Document { schema: "herd.init/1", changed: true, config })?;
    } else {
        session.out.answer(&format!("wrote {shown}"))?;
        for next in init::NEXT {
            session.out.message(&format!("  {next}"));
        }
    }
    Ok(Exit::Fine)
}

/// The default herd.toml, or one with the graph that was asked for.
fn herd_toml(args: &args::Init) -> String {
    let Some(servers) = args.servers else { return config::TEMPLATE.into() };
    let topology = args.topology.into();
    Shape { topology, servers, degree: usize::from(args.degree), seed: args.seed }.herd_toml()
}
