//! Which pane is where, by the size of the terminal: all of them where there is room, one picture and one list on
//! 80 columns and 24 rows, one pane alone below that. Pure.

use ratatui::layout::{Constraint, Layout, Rect};

use super::model::{Focus, Model};

/// From this size on all panes are shown.
const LARGE: (u16, u16) = (110, 32);
/// Below this size one is.
const SMALL: (u16, u16) = (60, 20);
/// Servers and links have so many rows at most where others need room too.
const ROWS_MAX: usize = 8;
/// A pane has a title and column heads.
const FRAME: u16 = 2;

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub header: Rect,
    pub panes: Vec<(Focus, Rect)>,
    pub footer: Rect,
}

impl Plan {
    pub fn of(model: &Model, area: Rect) -> Self {
        let is_tiny = area.width < SMALL.0 || area.height < SMALL.1;
        let header = Constraint::Length(if is_tiny { 1 } else { 2 });
        let [header, body, footer] = Layout::vertical([header, Constraint::Fill(1), Constraint::Length(1)]).areas(area);
        let panes = if model.whole || is_tiny {
            vec![(model.focus, body)]
        } else if area.width >= LARGE.0 && area.height >= LARGE.1 {
            all(model, body)
        } else {
            some(model, body)
        };
        Self { header, panes, footer }
    }

    /// How many lines of a list its pane shows.
    pub fn height(&self, pane: Focus) -> Option<u16> {
        let (_, area) = self.panes.iter().find(|(shown, _)| *shown == pane)?;
        Some(area.height.saturating_sub(1))
    }
}

fn rows(model: &Model) -> (u16, u16) {
    let count = |n: usize| FRAME + u16::try_from(n.clamp(1, ROWS_MAX)).unwrap_or(1);
    model.ps.as_ref().map_or((FRAME + 1, FRAME + 1), |ps| (count(ps.servers.len()), count(ps.links.len())))
}

fn all(model: &Model, body: Rect) -> Vec<(Focus, Rect)> {
    let (servers, links) = rows(model);
    let [upper, middle, lower] =
        Layout::vertical([Constraint::Length(servers.max(links)), Constraint::Fill(3), Constraint::Fill(2)])
            .areas(body);
    let [servers, links] = columns(upper, [Constraint::Min(70), Constraint::Fill(1)]);
    let [map, topology, latency] = columns(middle, [Constraint::Fill(2), Constraint::Fill(1), Constraint::Length(32)]);
    let [events, log] = columns(lower, [Constraint::Fill(1), Constraint::Fill(1)]);
    Focus::ALL.into_iter().zip([servers, links, map, topology, latency, events, log]).collect()
}

fn some(model: &Model, body: Rect) -> Vec<(Focus, Rect)> {
    let (servers, links) = rows(model);
    let [upper, middle, lower] =
        Layout::vertical([Constraint::Length(servers), Constraint::Length(links.max(8)), Constraint::Fill(1)])
            .areas(body);
    let [links, picture] = columns(middle, [Constraint::Fill(1), Constraint::Fill(1)]);
    vec![(Focus::Servers, upper), (Focus::Links, links), (model.picture, picture), (model.tail, lower)]
}

fn columns<const N: usize>(area: Rect, widths: [Constraint; N]) -> [Rect; N] {
    Layout::horizontal(widths).spacing(1).areas(area)
}

/// Tells the lists how much of them is seen.
pub fn fit(model: &mut Model, area: Rect) {
    let plan = Plan::of(model, area);
    if let Some(height) = plan.height(Focus::Events) {
        model.events.fit(height);
    }
    if let Some(height) = plan.height(Focus::Log) {
        model.log.fit(height);
    }
}
