//! `ps`: what the herd says of itself, as a table.

use unicode_width::UnicodeWidthStr;

use super::args;
use super::output::Output;
use super::session::Session;
use super::term::{self, Pen};
use super::{Done, Exit, escape, human, watch};
use crate::herd::api::{BusState, BusStatus, LinkStatus, Ps, ServerStatus, State, Summary, by};

/// `herdctl ps`
///
/// # Errors
///
/// As every call on the control channel.
pub fn run(args: &args::Ps, session: &mut Session) -> Done {
    if args.watch {
        return watch(args.wide, session);
    }
    let ps = session.client()?.ps()?;
    if session.out.json {
        session.out.document(&ps)?;
    } else {
        let config = session.config_name(ps.config.as_ref());
        show(&ps, &config, args.wide, &mut session.out)?;
    }
    Ok(if args.check && !is_well(&ps.summary) { Exit::No } else { Exit::Fine })
}

/// `herdctl ps --watch`
fn watch(wide: bool, session: &mut Session) -> Done {
    let home = session.surroundings.home.clone();
    watch::watch(session, |client, out| {
        let ps = client.ps()?;
        if out.json {
            return out.json_of(&ps).map(|json| vec![json]);
        }
        let config = human::path(ps.config.as_ref(), None, home.as_deref());
        Ok(text(&ps, &config, wide, out.pen()))
    })
}

/// All servers run and all links are up.
fn is_well(summary: &Summary) -> bool {
    summary.running == summary.servers && summary.links_up == summary.links
}

fn show(ps: &Ps, config: &str, wide: bool, out: &mut Output) -> Result<(), super::output::Stop> {
    out.answer(&text(ps, config, wide, out.pen()).join("\n"))?;
    if let Some(next) = next_steps(ps) {
        out.hint(&next);
    }
    Ok(())
}

fn text(ps: &Ps, config: &str, wide: bool, pen: Pen) -> Vec<String> {
    let mut text = vec![heading(ps, config, pen), summary(&ps.summary, pen)];
    text.extend(servers(ps, wide).lines(pen));
    if wide && !ps.links.is_empty() {
        text.push(String::new());
        text.extend(links(ps).lines(pen));
    }
    text
}

pub(super) fn heading(ps: &Ps, config: &str, pen: Pen) -> String {
    let about = match ps.pid {
        0 => format!("{} processes  herdctl {}", ps.servers.len(), escape::text(&ps.version)),
        pid => format!("up {}  pid {pid}  herdctl {}", human::age(ps.uptime_ms), escape::text(&ps.version)),
    };
    format!("herd {}  {about}", pen.ink(term::BOLD, config))
}

/// `3 running, 1 paused, 1 down · 4/6 links up · 1 island · not converged`
pub fn summary(summary: &Summary, pen: Pen) -> String {
    let mut members = vec![format!("{} running", summary.running)];
    if summary.paused > 0 {
        members.push(pen.ink(term::WARN, &format!("{} paused", summary.paused)));
    }
    if summary.down > 0 {
        members.push(pen.ink(term::BAD, &format!("{} down", summary.down)));
    }
    let islands = human::count(summary.islands as u64, "island");
    let faults = pen.ink(term::WARN, &human::count(summary.faults as u64, "fault"));
    let faults = (summary.faults > 0).then_some(faults);
    let links = format!("{}/{} links up", summary.links_up, summary.links);
    let converged = if summary.converged { "converged".to_owned() } else { pen.ink(term::WARN, "not converged") };
    let parts = [Some(members.join(", ")), Some(links), faults, Some(islands), Some(converged)];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

fn servers(ps: &Ps, wide: bool) -> Table {
    let mut heads = vec!["SERVER", "STATE", "ADDRESS", "UP", "LINKS", "CLIENTS", "KNOWS", "RESTARTS"];
    if wide {
        heads.extend(["EDITION", "DIGEST", "UNCONFIRMED", "LOG LOST", "SINCE"]);
    }
    heads.push("NOTE");
    Table { heads, rows: ps.servers.iter().map(|server| row(ps, server, wide)).collect() }
}

fn row(ps: &Ps, server: &ServerStatus, wide: bool) -> Vec<Cell> {
    let lives = matches!(server.state, State::Running | State::Paused | State::Starting | State::Stopping);
    let or_dash = |text: String| if lives { text } else { "–".to_owned() };
    let mut row = vec![
        Cell::plain(&server.name),
        Cell { text: state(server), style: Some(colour(server.state)) },
        Cell::plain(&server.addr),
        Cell::plain(&server.uptime_ms.map_or_else(|| "–".to_owned(), human::age)),
        Cell::plain(&format!("{}/{}", server.links_up, server.links)),
        Cell::plain(&or_dash(server.clients.to_string())),
        Cell::plain(&or_dash(server.knows.to_string())),
        Cell::plain(&server.restarts.to_string()),
    ];
    if wide {
        row.extend([
            Cell::plain(&or_dash(server.edition.to_string())),
            Cell::plain(&or_dash(server.digest.clone())),
            Cell::plain(&server.unconfirmed.to_string()),
            Cell::plain(&server.log_lost.to_string()),
            Cell::plain(&server.since),
        ]);
    }
    row.push(Cell { text: escape::text(&note(ps, server)).into_owned(), style: Some(term::DIM) });
    row
}

pub(super) fn state(server: &ServerStatus) -> String {
    match server.state {
        State::Killed | State::Stopped | State::Crashed | State::Failed => {
            format!("{} {} ago", server.state, human::age(server.since_ms))
        }
        state => state.to_string(),
    }
}

pub(super) fn colour(state: State) -> anstyle::Style {
    match state {
        State::Running => term::GOOD,
        State::Starting | State::Paused | State::Stopping => term::WARN,
        State::Stopped => term::DIM,
        State::Killed | State::Crashed | State::Failed | State::Unreachable => term::BAD,
    }
}

/// What is to be said of the bus: nothing of one that is level.
fn bus(bus: &BusStatus) -> Option<String> {
    let behind = human::count(bus.lag, "edition");
    match (bus.state, &bus.trouble) {
        (_, Some(why)) => Some(format!("bus away, {behind} behind: {why}")),
        (BusState::Joined, None) if bus.lag == 0 => None,
        (BusState::Joined, None) => Some(format!("bus {behind} behind")),
        (BusState::Joining | BusState::Away, None) => Some(format!("joining the bus, {behind} behind")),
    }
}

pub(super) fn note(ps: &Ps, server: &ServerStatus) -> String {
    let order = match (server.by.as_deref(), server.state) {
        (Some(by::CLI), State::Killed) => "by herdctl kill".to_owned(),
        (Some(by::CLI), State::Stopped) => "by herdctl stop".to_owned(),
        (Some(by::DASH), State::Killed | State::Stopped) => "by the dashboard".to_owned(),
        _ => String::new(),
    };
    let mut notes = vec![server.note.clone().unwrap_or(order)];
    if server.log_lost > 0 {
        notes.push(format!("{} not written", human::count(server.log_lost, "log record")));
    }
    if let Some((archive, why)) = server.archive.as_ref().and_then(|archive| Some((archive, archive.trouble.as_ref()?)))
    {
        notes.push(format!("archive not written, {} behind: {why}", human::count(archive.lag, "edition")));
    }
    notes.extend(server.bus.as_ref().and_then(bus));
    notes.extend(ps.faults.iter().filter(|fault| fault.from == server.name).map(super::faults::described));
    notes.retain(|note| !note.is_empty());
    notes.join("; ")
}

fn links(ps: &Ps) -> Table {
    let rows = ps.links.iter().map(|link| {
        let (state, style) = if link.up { ("up", term::GOOD) } else { ("down", term::BAD) };
        let ends = format!("{} – {}", escape::text(&link.from), escape::text(&link.to));
        vec![Cell::plain(&ends), Cell { text: state.into(), style: Some(style) }, Cell::plain(&lag(link))]
    });
    Table { heads: vec!["LINK", "STATE", "LAG → / ←"], rows: rows.collect() }
}

/// `195 / 0`; of an end that has been asked to hold back, `195 held / 0`.
pub(super) fn lag(link: &LinkStatus) -> String {
    let Some(lag) = link.lag else { return "–".into() };
    let [there, back] = [0, 1].map(|end| format!("{}{}", lag[end], if link.held[end] { " held" } else { "" }));
    format!("{there} / {back}")
}

/// The commands that would make the herd whole.
fn next_steps(ps: &Ps) -> Option<String> {
    let named = |verb: &str, wanted: &dyn Fn(State) -> bool| {
        let names: Vec<_> = ps.servers.iter().filter(|s| wanted(s.state)).map(|s| escape::text(&s.name)).collect();
        (!names.is_empty()).then(|| format!("herdctl {verb} {}", names.join(" ")))
    };
    let heal = (!ps.faults.is_empty()).then(|| "herdctl heal --all".to_owned());
    let is_down = |state| matches!(state, State::Stopped | State::Killed | State::Crashed | State::Failed);
    let steps: Vec<_> = [named("start", &is_down), named("resume", &|state| state == State::Paused), heal]
        .into_iter()
        .flatten()
        .collect();
    (!steps.is_empty()).then(|| steps.join(" · "))
}

/// Columns that line up on a terminal.
pub(super) struct Table {
    pub(super) heads: Vec<&'static str>,
    pub(super) rows: Vec<Vec<Cell>>,
}

pub(super) struct Cell {
    pub(super) text: String,
    pub(super) style: Option<anstyle::Style>,
}

impl Cell {
    pub(super) fn plain(text: &str) -> Self {
        Self { text: escape::text(text).into_owned(), style: None }
    }
}

impl Table {
    pub(super) fn lines(&self, pen: Pen) -> Vec<String> {
        let widths: Vec<usize> = (0..self.heads.len()).map(|column| self.width(column)).collect();
        let heads = self.heads.iter().zip(&widths).map(|(head, &width)| pen.ink(term::DIM, &human::pad(head, width)));
        let mut lines = vec![heads.collect::<Vec<_>>().join("  ").trim_end().to_owned()];
        for row in &self.rows {
            let cells = row.iter().zip(&widths).map(|(cell, &width)| match cell.style {
                Some(style) if !cell.text.is_empty() => {
                    let spaces = human::pad(&cell.text, width).split_off(cell.text.len());
                    pen.ink(style, &cell.text) + &spaces
                }
                _ => human::pad(&cell.text, width),
            });
            lines.push(cells.collect::<Vec<_>>().join("  ").trim_end().to_owned());
        }
        lines
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.text.width());
        cells.chain([self.heads[column].width()]).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::herd::api::ArchiveStatus;

    fn server(name: &str, state: State, port: u16) -> ServerStatus {
        let lives = state == State::Running || state == State::Paused;
        ServerStatus {
            name: name.into(),
            state,
            since: "2026-11-22T15:04:05.123456Z".into(),
            since_ms: 8_200,
            addr: format!("127.0.0.1:{port}"),
            by: (state == State::Killed).then(|| "cli".into()),
            restarts: u32::from(!lives),
            uptime_ms: lives.then_some(724_113),
            links_up: if lives { 2 } else { 0 },
            links: 2,
            clients: 3,
            knows: 41,
            edition: 57,
            digest: "00c0ffee00c0ffee".into(),
            unconfirmed: 0,
            log_lost: 0,
            archive: None,
            bus: None,
            note: (state == State::Paused).then(|| "accepts, does not answer".into()),
        }
    }

    fn ps() -> Ps {
        Ps {
            schema: "herd.ps/1".into(),
            config: "/srv/herd/herd.toml".into(),
            herd: "herd".into(),
            pid: 48213,
            version: "0.1.0".into(),
            protocol: 1,
            uptime_ms: 724_113,
            logs: "/srv/herd/logs".into(),
            summary: Summary {
                servers: 3,
                running: 1,
                paused: 1,
                down: 1,
                links: 2,
                links_up: 1,
                islands: 1,
                converged: false,
                faults: 0,
            },
            faults: Vec::new(),
            servers: vec![
                server("Campbell", State::Running, 11002),
                server("Clark", State::Killed, 11003),
                server("Jaquez", State::Paused, 11004),
            ],
            notes: Vec::new(),
            links: vec![LinkStatus {
                from: "Clark".into(),
                to: "Jaquez".into(),
                up: false,
                lag: None,
                held: [false; 2],
            }],
        }
    }

    fn shown(ps: &Ps, wide: bool) -> (String, String) {
        let (mut out, answers, messages) = Output::captured(false);
        show(ps, "~/herd/herd.toml", wide, &mut out).unwrap();
        (answers.text(), messages.text())
    }

    #[test]
    fn the_table_of_a_herd_in_trouble() {
        let (table, hint) = shown(&ps(), false);
        let expected = "\
herd ~/herd/herd.toml  up 12m  pid 48213  herdctl 0.1.0
1 running, 1 paused, 1 down · 1/2 links up · 1 island · not converged
SERVER    STATE          ADDRESS          UP   LINKS  CLIENTS  KNOWS  RESTARTS  NOTE
Campbell  running        127.0.0.1:11002  12m  2/2    3        41     0
Clark     killed 8s ago  127.0.0.1:11003  –    0/2    –        –      1         by herdctl kill
Jaquez    paused         127.0.0.1:11004  12m  2/2    3        41     0         accepts, does not answer
";
        assert_eq!(table, expected);
        assert_eq!(hint, "hint: herdctl start Clark · herdctl resume Jaquez\n");
    }

    #[test]
    fn a_herd_that_is_well_needs_no_hint() {
        let mut well = ps();
        well.servers.retain(|server| server.state == State::Running);
        well.summary =
            Summary { servers: 1, paused: 0, down: 0, links: 0, links_up: 0, converged: true, ..well.summary };
        assert!(is_well(&well.summary));
        let (table, hint) = shown(&well, false);
        assert!(table.contains("\n1 running · 0/0 links up · 1 island · converged\n"), "{table}");
        assert_eq!(hint, "");
    }

    #[test]
    fn wide_shows_the_atlas_and_the_links() {
        let (table, _) = shown(&ps(), true);
        assert!(table.contains("00c0ffee00c0ffee") && table.contains("2026-11-22T15:04:05.123456Z"), "{table}");
        assert!(table.ends_with("\nLINK            STATE  LAG → / ←\nClark – Jaquez  down   –\n"), "{table}");
        let held = LinkStatus { up: true, lag: Some([195, 0]), held: [true, false], ..ps().links[0].clone() };
        assert_eq!(lag(&held), "195 held / 0");
    }

    #[test]
    fn an_archive_in_trouble_is_noted_and_one_that_is_well_is_not() {
        let mut herd = ps();
        let well = ArchiveStatus { stored: 40, lag: 17, committed: None, trouble: None };
        herd.servers[0].archive = Some(well.clone());
        herd.servers[2].archive = Some(ArchiveStatus { trouble: Some("No space left on device".into()), ..well });
        let (table, _) = shown(&herd, false);
        let noted = "accepts, does not answer; archive not written, 17 editions behind: No space left on device\n";
        assert!(table.ends_with(noted) && table.matches("archive").count() == 1, "{table}");
    }

    #[test]
    fn a_bus_that_is_behind_is_noted_and_one_that_is_level_is_not() {
        let mut herd = ps();
        let level =
            BusStatus { state: BusState::Joined, told: 57, lag: 0, learned: 5, refused: 0, too_long: 0, trouble: None };
        herd.servers[0].bus = Some(level.clone());
        assert!(!shown(&herd, false).0.contains("bus"));
        let away = Some("no NATS server answers there".to_owned());
        for (state, trouble, noted) in [
            (BusState::Joined, None, "bus 17 editions behind\n"),
            (BusState::Joining, None, "joining the bus, 17 editions behind\n"),
            (BusState::Away, away, "bus away, 17 editions behind: no NATS server answers there\n"),
        ] {
            herd.servers[0].bus = Some(BusStatus { state, lag: 17, trouble, ..level.clone() });
            assert!(shown(&herd, false).0.contains(noted), "{noted}");
        }
    }

    #[test]
    fn colours_do_not_move_columns() {
        let plain = servers(&ps(), true).lines(Pen { styled: false });
        let styled = servers(&ps(), true).lines(Pen { styled: true });
        let stripped: Vec<_> = styled.iter().map(|line| anstream::adapter::strip_str(line).to_string()).collect();
        assert_eq!(stripped.iter().map(|line| line.trim_end()).collect::<Vec<_>>(), plain);
        assert_ne!(styled, plain);
    }

    #[test]
    fn hostile_words_of_a_herd_stay_text() {
        let mut hostile = ps();
        for server in &mut hostile.servers {
            server.name = "\u{1b}[2J".into();
            server.note = Some("\u{9b}31m\r\u{202e}".into());
            server.addr = "a\nb".into();
        }
        hostile.version = "\u{7}".into();
        let (table, hint) = shown(&hostile, true);
        assert!(!(table + &hint).chars().any(|c| c != '\n' && (c.is_control() || c == '\u{202e}')));
    }
}
