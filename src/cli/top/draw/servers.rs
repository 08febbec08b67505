//! The servers, and how fast they are.

use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::widgets::{Cell, Row, Table, TableState};

use super::Place;
use crate::cli::top::meters::{Histogram, Pace, brief};
use crate::cli::top::model::{Focus, Model};
use crate::cli::{escape, human, ps, term};
use crate::herd::api::{Ps, ServerStatus, State};

/// A column: its head, its width, and from which width of the pane on it is shown.
const COLUMNS: [(&str, u16, u16); 11] = [
    ("  SERVER", 12, 0),
    ("STATE", 17, 0),
    ("LINKS", 5, 0),
    ("KNOWS", 7, 45),
    ("NEWS/s", 7, 55),
    ("ANSW/s", 7, 60),
    ("p99", 6, 66),
    ("CLIENTS", 7, 76),
    ("UP", 7, 86),
    ("ADDRESS", 21, 130),
    ("NOTE", 24, 95),
];

pub fn draw(model: &Model, place: Place, area: Rect, frame: &mut Frame) {
    let block = place.block(Focus::Servers, "");
    let Some(ps) = &model.ps else { return frame.render_widget(block, area) };
    let columns: Vec<usize> = (0..COLUMNS.len()).filter(|&nth| area.width >= COLUMNS[nth].2).collect();
    let widest = ps.servers.iter().map(|server| server.name.chars().count()).max().unwrap_or(0);
    let name = u16::try_from(widest + 2).unwrap_or(u16::MAX).clamp(8, area.width / 3 + 8);
    let widths = columns.iter().map(|&nth| match COLUMNS[nth] {
        ("  SERVER", ..) => Constraint::Length(name),
        ("NOTE", ..) => Constraint::Fill(1),
        (_, width, _) => Constraint::Length(width),
    });
    let heads = Row::new(columns.iter().map(|&nth| COLUMNS[nth].0)).style(place.paint.style(term::DIM));
    let rows = ps.servers.iter().enumerate().map(|(nth, server)| {
        let (mark, style) = place.row(nth == model.server);
        let mut cells = cells(model, ps, nth, server, mark, place);
        let shown = columns.iter().map(|&nth| std::mem::take(&mut cells[nth]));
        Row::new(shown.collect::<Vec<_>>()).style(style)
    });
    let table = Table::new(rows, widths.collect::<Vec<_>>()).header(heads).block(block);
    frame.render_stateful_widget(table, area, &mut TableState::new().with_selected(model.server));
}

/// A server's row, in the order of [`COLUMNS`].
fn cells(
    model: &Model,
    ps: &Ps,
    nth: usize,
    server: &ServerStatus,
    mark: &str,
    place: Place,
) -> [Cell<'static>; COLUMNS.len()] {
    let paint = place.paint;
    let pace = model.meters.of(&server.name);
    let or_dash = |text: Option<String>| Cell::from(text.unwrap_or_else(|| "–".to_owned()));
    let alive = server.uptime_ms.is_some();
    let rate = |of: fn(&Pace) -> f64| or_dash(pace.as_ref().map(|pace| format!("{:.0}", of(pace))));
    let p99 = pace.as_ref().and_then(|pace| pace.answer.quantile(0.99));
    [
        Cell::from(paint.span(term::of_server(nth), format!("{mark}{}", escape::text(&server.name)))),
        Cell::from(paint.span(ps::colour(server.state), format!("{} {}", shape(server.state), ps::state(server)))),
        Cell::from(format!("{}/{}", server.links_up, server.links)),
        or_dash(alive.then(|| server.knows.to_string())),
        rate(|pace| pace.news),
        rate(|pace| pace.answers),
        or_dash(p99.map(brief)),
        or_dash(alive.then(|| server.clients.to_string())),
        or_dash(server.uptime_ms.map(human::age)),
        Cell::from(escape::text(&server.addr).into_owned()),
        Cell::from(paint.span(term::DIM, escape::text(&ps::note(ps, server)).into_owned())),
    ]
}

pub fn shape(state: State) -> &'static str {
    match state {
        State::Running => "●",
        State::Paused => "‖",
        State::Killed | State::Crashed | State::Failed => "✗",
        State::Stopped => "■",
        State::Starting | State::Stopping => "…",
        State::Unreachable => "?",
    }
}

/// Percentiles, of the herd and of each server.
pub fn draw_latency(model: &Model, place: Place, area: Rect, frame: &mut Frame) {
    let rows = |name: String, pace: Option<Pace>| {
        let quantile = |of: &Histogram, share| of.quantile(share).map_or_else(|| "–".to_owned(), brief);
        let pace = pace.unwrap_or_default();
        let cells = [0.5, 0.99].map(|share| quantile(&pace.answer, share)).into_iter();
        let cells = cells.chain([0.5, 0.99].map(|share| quantile(&pace.convergence, share)));
        Row::new(std::iter::once(name).chain(cells))
    };
    let servers = model.ps.iter().flat_map(|ps| &ps.servers);
    let servers = servers.map(|server| rows(escape::text(&server.name).into_owned(), model.meters.of(&server.name)));
    let table = std::iter::once(rows("all".to_owned(), model.meters.of_all())).chain(servers);
    let number = Constraint::Length(5);
    let widths = [Constraint::Max(14), number, number, number, number];
    let heads = Row::new(["", "p50", "p99", "p50", "p99"]).style(place.paint.style(term::DIM));
    frame.render_widget(
        Table::new(table, widths).header(heads).block(place.block(Focus::Latency, " answers  convergence ")),
        area,
    );
}
