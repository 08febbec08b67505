//! `whereis` and `forget`: who knows what, and to make all forget it.

mod track;

use super::args;
use super::output::{Output, Stop};
use super::ps::{Cell, Table};
use super::session::Session;
use super::term::{self, Pen};
use super::{Done, Exit, escape, human};
use crate::herd::api::{ClientStatus, ForgetOrder, Forgotten, Knowledge, Knows, Whereis, WhereisOrder};

/// `herdctl whereis`: "no" if no server knows the client.
///
/// # Errors
///
/// As every call on the control channel.
pub fn whereis(args: &args::Whereis, session: &mut Session) -> Done {
    if let (true, Some(client)) = (args.watch, &args.client) {
        return track::watch(client, session);
    }
    let order = WhereisOrder { client: args.client.clone(), all: args.all };
    let whereis = session.client()?.whereis(&order)?;
    if session.out.json {
        session.out.document(&whereis)?;
    } else {
        show(&whereis, args.all, &mut session.out)?;
    }
    let is_known = |client: &ClientStatus| client.servers.iter().any(|one| one.knows != Knows::Nothing);
    Ok(if args.all || whereis.clients.iter().any(is_known) { Exit::Fine } else { Exit::No })
}

/// `herdctl forget`
///
/// # Errors
///
/// As every call on the control channel.
pub fn forget(args: &args::Forget, session: &mut Session) -> Done {
    let forgotten = session.client()?.forget(&ForgetOrder { client: args.client.clone() })?;
    if session.out.json {
        session.out.document(&forgotten)?;
    } else {
        show_forgotten(&forgotten, &mut session.out)?;
    }
    Ok(Exit::Fine)
}

fn show(whereis: &Whereis, all: bool, out: &mut Output) -> Result<(), Stop> {
    let pen = out.pen();
    let table = if all { clients(whereis) } else { servers(whereis) };
    out.answer(&table.lines(pen).join("\n"))?;
    for server in whereis.silent.iter().filter(|_| all) {
        out.message(&format!("  {} was not asked: it {}", escape::text(&server.server), escape::text(&server.why)));
    }
    let shown = whereis.clients.len() as u64;
    if all && whereis.known > shown {
        let (shown, known) = (human::thousands(shown), human::count(whereis.known, "client"));
        out.message(&format!("  {shown} of {known}: those that moved last"));
    }
    Ok(())
}

/// One client: a row a server.
fn servers(whereis: &Whereis) -> Table {
    let answered = whereis.clients.iter().flat_map(|client| &client.servers).map(|one| {
        let (word, style) = word(one.knows);
        let or_dash = |text: &Option<String>| Cell::plain(text.as_deref().unwrap_or("–"));
        vec![
            Cell::plain(&one.server),
            Cell { text: word.into(), style: Some(style) },
            or_dash(&one.location),
            or_dash(&one.time),
            or_dash(&one.said_to),
        ]
    });
    let silent = whereis.silent.iter().map(|server| {
        vec![Cell::plain(&server.server), Cell { text: "?".into(), style: Some(term::DIM) }, Cell::plain(&server.why)]
    });
    Table { heads: vec!["SERVER", "KNOWS", "LOCATION", "AS OF", "SAID TO"], rows: answered.chain(silent).collect() }
}

/// Many clients: a row a client.
fn clients(whereis: &Whereis) -> Table {
    let rows = whereis.clients.iter().map(|client| {
        let newest = client.servers.iter().find(|one| one.knows == Knows::Newest);
        let or_dash = |text: Option<&String>| Cell::plain(text.map_or("–", String::as_str));
        let (spread, style) = spread(client);
        vec![
            Cell::plain(&client.client),
            or_dash(newest.and_then(|one| one.location.as_ref())),
            or_dash(newest.and_then(|one| one.time.as_ref())),
            or_dash(newest.and_then(|one| one.said_to.as_ref())),
            Cell { text: escape::text(&spread).into_owned(), style: Some(style) },
        ]
    });
    Table { heads: vec!["CLIENT", "LOCATION", "AS OF", "SAID TO", "KNOWN BY"], rows: rows.collect() }
}

/// `all 5`, or `4 of 5; old at Jaquez; not at Clark`
fn spread(client: &ClientStatus) -> (String, anstyle::Style) {
    let named = |knows: Knows, word: &str| {
        let who: Vec<&str> = client.servers.iter().filter(|one| one.knows == knows).map(|one| &*one.server).collect();
        (!who.is_empty()).then(|| format!("{word} at {}", who.join(", ")))
    };
    let of = client.servers.len();
    if client.agreed {
        return (format!("all {of}"), term::GOOD);
    }
    let newest = client.servers.iter().filter(|one: &&Knowledge| one.knows == Knows::Newest).count();
    let rest = [named(Knows::Old, "old"), named(Knows::Nothing, "not")];
    let parts = std::iter::once(format!("{newest} of {of}")).chain(rest.into_iter().flatten());
    (parts.collect::<Vec<_>>().join("; "), term::WARN)
}

fn word(knows: Knows) -> (&'static str, anstyle::Style) {
    match knows {
        Knows::Newest => ("yes", term::GOOD),
        Knows::Old => ("OLD", term::WARN),
        Knows::Nothing => ("–", term::DIM),
    }
}

fn show_forgotten(forgotten: &Forgotten, out: &mut Output) -> Result<(), Stop> {
    out.answer(&forgotten_line(forgotten, out.pen()))?;
    for why in &forgotten.may_return {
        let note = out.message_pen().ink(term::WARN, "  it may come back:");
        out.message(&format!("{note} {}", escape::text(why)));
    }
    if !forgotten.changed {
        out.hint("herdctl whereis --all");
    }
    Ok(())
}

fn forgotten_line(forgotten: &Forgotten, pen: Pen) -> String {
    let client = escape::text(&forgotten.client);
    match forgotten.forgot.is_empty() {
        true => format!("{} nothing to forget: no server that was asked knows {client}", pen.ink(term::DIM, "·")),
        false => {
            let servers: Vec<_> = forgotten.forgot.iter().map(|name| escape::text(name).into_owned()).collect();
            format!("{} {client} forgotten by {}", pen.ink(term::GOOD, "✔"), human::list(&servers))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::herd::api::{SilentServer, State};

    fn knowledge(server: &str, knows: Knows) -> Knowledge {
        let some = |text: &str| (knows != Knows::Nothing).then(|| text.to_owned());
        Knowledge {
            server: server.into(),
            knows,
            location: some("+34.068930-118.445127"),
            time: some("1763823845.1"),
            said_to: some("Clark"),
            ..Knowledge::default()
        }
    }

    fn whereis_of(client: &str) -> Whereis {
        let servers = vec![
            knowledge("Bailey", Knows::Newest),
            knowledge("Bona", Knows::Old),
            knowledge("Campbell", Knows::Nothing),
        ];
        let silent = SilentServer { server: "Clark".into(), state: State::Killed, why: "is killed".into() };
        Whereis {
            schema: "herd.whereis/1".into(),
            clients: vec![ClientStatus { client: client.into(), agreed: false, servers }],
            known: 41,
            silent: vec![silent],
        }
    }

    #[test]
    fn who_knows_what() {
        let lines = servers(&whereis_of("kiwi")).lines(Pen { styled: false });
        assert_eq!(
            lines.join("\n"),
            "\
SERVER    KNOWS  LOCATION               AS OF         SAID TO
Bailey    yes    +34.068930-118.445127  1763823845.1  Clark
Bona      OLD    +34.068930-118.445127  1763823845.1  Clark
Campbell  –      –                      –             –
Clark     ?      is killed"
        );
    }

    #[test]
    fn many_clients_show_who_lacks_what_and_stay_text() {
        let (mut out, answers, messages) = Output::captured(false);
        show(&whereis_of("k\u{1b}[2Jwi"), true, &mut out).unwrap();
        let said = answers.text() + &messages.text();
        assert!(said.contains("1 of 3; old at Bona; not at Campbell"), "{said}");
        assert!(said.contains("Clark was not asked: it is killed") && said.contains("1 of 41 clients"), "{said}");
        assert!(!said.contains('\u{1b}'), "{said}");
    }
}
