//! The links: state, lag, and what is wrong with them.

use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::widgets::{Cell, Row, Table, TableState};

use super::Place;
use crate::cli::top::meters::brief;
use crate::cli::top::model::{Focus, Model};
use crate::cli::{escape, faults, term};
use crate::herd::api::{FaultStatus, LinkStatus, Ps};

pub fn draw(model: &Model, place: Place, area: Rect, frame: &mut Frame) {
    let block = place.block(Focus::Links, "");
    let Some(ps) = &model.ps else { return frame.render_widget(block, area) };
    let rows = ps.links.iter().enumerate().map(|(nth, link)| row(model, ps, nth, link, place));
    let ends = ps.links.iter().map(|link| link.from.chars().count() + link.to.chars().count() + 5).max();
    let ends = u16::try_from(ends.unwrap_or(4)).unwrap_or(u16::MAX).min(area.width / 2 + 4);
    let widths = [Constraint::Length(ends), Constraint::Length(6), Constraint::Length(5), Constraint::Fill(1)];
    let heads = Row::new(["  LINK", "STATE", "LAG", "FAULTS"]).style(place.paint.style(term::DIM));
    let table = Table::new(rows, widths).header(heads).block(block);
    frame.render_stateful_widget(table, area, &mut TableState::new().with_selected(model.link));
}

fn row(model: &Model, ps: &Ps, nth: usize, link: &LinkStatus, place: Place) -> Row<'static> {
    let (mark, style) = place.row(nth == model.link);
    let wrong: Vec<&FaultStatus> = ps.faults.iter().filter(|fault| faults::is_on(fault, link)).collect();
    let (state, ink) = faults::state(link, &wrong);
    let shape = match state {
        "up" => "●",
        "cut" => "✂",
        _ => "✗",
    };
    let wrong: Vec<String> = wrong.into_iter().map(faults::arrowed).collect();
    Row::new([
        Cell::from(format!("{mark}{} – {}", escape::text(&link.from), escape::text(&link.to))),
        Cell::from(place.paint.span(ink, format!("{shape} {state}"))),
        Cell::from(lag(model, link)),
        Cell::from(place.paint.span(term::WARN, escape::text(&wrong.join("; ")).into_owned())),
    ])
    .style(style)
}

/// The worse of the two directions: for how long, or else how many changes are on their way.
fn lag(model: &Model, link: &LinkStatus) -> String {
    let seconds = |from: &str, to: &str| model.meters.lag(from, to).unwrap_or(0.0);
    let seconds = seconds(&link.from, &link.to).max(seconds(&link.to, &link.from));
    match link.lag {
        None => "–".to_owned(),
        Some([0, 0]) => "0".to_owned(),
        Some(_) if seconds >= 0.1 => brief(seconds),
        Some([there, back]) => there.max(back).to_string(),
    }
}
