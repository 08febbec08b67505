//! The lists that grow: events and log.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Text};

use super::{Place, remark};
use crate::cli::human;
use crate::cli::term;
use crate::cli::top::model::{Focus, Model};
use crate::cli::top::paint;

pub fn draw(pane: Focus, model: &Model, place: Place, area: Rect, frame: &mut Frame) {
    let roll = if pane == Focus::Events { &model.events } else { &model.log };
    let block = place.block(pane, state(pane, model, place));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    if roll.is_empty() {
        frame.render_widget(remark("nothing yet", place.paint), inner);
        return;
    }
    let lines: Vec<Line> = roll.shown().map(paint::line).collect();
    frame.render_widget(Text::from(lines), inner);
}

/// How much is new below, where the list does not follow; and whether every hop is in it.
fn state(pane: Focus, model: &Model, place: Place) -> Line<'static> {
    let roll = if pane == Focus::Events { &model.events } else { &model.log };
    match roll.unseen() {
        Some(0) => place.paint.span(term::DIM, " held, End follows ").into(),
        Some(n) => place.paint.span(term::WARN, format!(" {} new ↓ ", human::thousands(n))).into(),
        None if pane == Focus::Events && model.hops => place.paint.span(term::DIM, " every hop ").into(),
        None => Line::default(),
    }
}
