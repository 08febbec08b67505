//! What the model looks like. Pure: a model and an area in, cells out; every word that came from elsewhere was made
//! harmless, or is here.

mod links;
mod map;
mod rolls;
mod servers;
mod topology;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Block, Borders, Clear};
use unicode_width::UnicodeWidthStr;

use super::keys::{FOOTER, HELP};
use super::layout::Plan;
use super::model::{Contact, Focus, Model};
use super::paint::{self, Paint};
use crate::cli::{ps, term};

/// Draws all of it.
pub fn draw(model: &Model, paint: Paint, frame: &mut Frame) {
    let area = frame.area();
    let plan = Plan::of(model, area);
    frame.render_widget(header(model, paint, plan.header.height), plan.header);
    for (pane, place) in &plan.panes {
        pane_of(*pane, model, paint, *place, frame);
    }
    frame.render_widget(footer(model, paint, plan.footer.width), plan.footer);
    if model.help {
        frame.render_widget(Clear, area);
        frame.render_widget(Text::from_iter(HELP), area);
    }
}

fn pane_of(pane: Focus, model: &Model, paint: Paint, area: Rect, frame: &mut Frame) {
    let place = Place { paint, has_focus: model.focus == pane };
    match pane {
        Focus::Servers => servers::draw(model, place, area, frame),
        Focus::Links => links::draw(model, place, area, frame),
        Focus::Map => map::draw(model, place, area, frame),
        Focus::Topology => topology::draw(model, place, area, frame),
        Focus::Latency => servers::draw_latency(model, place, area, frame),
        Focus::Events | Focus::Log => rolls::draw(pane, model, place, area, frame),
    }
}

/// How a pane stands.
#[derive(Debug, Clone, Copy)]
struct Place {
    paint: Paint,
    has_focus: bool,
}

impl Place {
    /// The frame of a pane: its title on a line, heavier where the focus is.
    fn block<'a>(self, pane: Focus, more: impl Into<Line<'a>>) -> Block<'a> {
        let (mark, style) = if self.has_focus {
            ("▶ ", Style::new().add_modifier(Modifier::BOLD))
        } else {
            ("", self.paint.style(term::DIM))
        };
        let title = Span::styled(format!(" {mark}{} ", pane.title()), style);
        Block::new().borders(Borders::TOP).border_style(style).title_top(title).title_top(more.into().right_aligned())
    }

    /// The mark before the chosen row, and how that row looks.
    fn row(self, is_chosen: bool) -> (&'static str, Style) {
        match (is_chosen, self.has_focus) {
            (false, _) => ("  ", Style::new()),
            (true, false) => ("▸ ", Style::new()),
            (true, true) => ("▸ ", Style::new().add_modifier(Modifier::REVERSED)),
        }
    }
}

fn header(model: &Model, paint: Paint, rows: u16) -> Text<'static> {
    let summary = match (&model.contact, &model.ps) {
        (Contact::Gone, _) => paint.pen.ink(term::ERROR, "✗ the herd has gone; waiting for it to come back"),
        (Contact::Trouble(why), _) => paint.pen.ink(term::ERROR, &format!("✗ {why}")),
        (Contact::Fine, Some(ps)) => ps::summary(&ps.summary, paint.pen),
        (Contact::Fine, None) => "…".to_owned(),
    };
    let heading = model.ps.as_ref().map(|ps| ps::heading(ps, &model.name, paint.pen));
    let lines = match (rows, heading) {
        (2, Some(heading)) => vec![heading, summary],
        _ => vec![summary],
    };
    lines.iter().map(|painted| paint::line(painted)).collect::<Vec<_>>().into()
}

fn footer(model: &Model, paint: Paint, width: u16) -> Line<'static> {
    if let Some(act) = &model.asked {
        let question = format!(" {} ? ", act.command());
        let strong = paint.style(term::WARN).add_modifier(Modifier::BOLD | Modifier::REVERSED);
        return Line::from_iter([Span::styled(question, strong), Span::raw("  y: yes   any other key: no")]);
    }
    if let Some((said, _)) = &model.said {
        return paint::line(said);
    }
    let mut spans = Vec::new();
    let mut room = usize::from(width);
    if !model.asks {
        spans.push(paint.span(term::WARN, "keys act at once  "));
        room = room.saturating_sub(18);
    }
    for (key, does) in FOOTER {
        let does = format!(" {does}  ");
        let Some(left) = room.checked_sub(key.width() + does.width()) else { break };
        room = left;
        spans.extend([Span::styled(key, Style::new().add_modifier(Modifier::BOLD)), paint.span(term::DIM, does)]);
    }
    spans.into()
}

/// What there is no room or no reason for yet.
fn remark(text: &str, paint: Paint) -> Line<'_> {
    Line::from(paint.span(term::DIM, text))
}
