//! The herd as a picture: servers on a ring, a line for each link, solid where it is up.

use std::f64::consts::TAU;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::canvas::{self, Canvas, Context, Points};

use super::Place;
use super::servers::shape;
use crate::cli::top::model::{Focus, Model};
use crate::cli::{escape, faults, ps, term};
use crate::herd::api::{FaultStatus, LinkStatus, Ps, ServerStatus};

/// The canvas, with the ring in it and room for names at its sides.
const HALF: f64 = 1.3;
/// A link that is not up is a row of so many points.
const POINTS: u32 = 12;

type At = (f64, f64);

pub fn draw(model: &Model, place: Place, area: Rect, frame: &mut Frame) {
    let block = place.block(Focus::Topology, "");
    let Some(ps) = &model.ps else { return frame.render_widget(block, area) };
    // One column of the pane, on the canvas.
    let column = 2.0 * HALF / f64::from(area.width.max(1));
    let canvas = Canvas::default().block(block).x_bounds([-HALF, HALF]).y_bounds([-HALF, HALF]).paint(|context| {
        for (nth, link) in ps.links.iter().enumerate() {
            draw_link(ps, link, nth == model.link, place, context);
        }
        context.layer();
        for (nth, server) in ps.servers.iter().enumerate() {
            let label = label(server, nth == model.server, place);
            let (x, y) = at(nth, ps.servers.len());
            let left = x - column * label.width() as f64 / 2.0;
            context.print(left.max(-HALF), y, label);
        }
    });
    frame.render_widget(canvas, area);
}

fn label(server: &ServerStatus, is_chosen: bool, place: Place) -> Line<'static> {
    let mark = if is_chosen { "▸" } else { "" };
    let text = format!("{mark}{} {}", shape(server.state), escape::text(&server.name));
    Line::from(place.paint.span(ps::colour(server.state), text))
}

fn draw_link(ps: &Ps, link: &LinkStatus, is_chosen: bool, place: Place, context: &mut Context) {
    let place_of = |name: &str| ps.servers.iter().position(|server| server.name == name);
    let (Some(from), Some(to)) = (place_of(&link.from), place_of(&link.to)) else { return };
    let (from, to) = (at(from, ps.servers.len()), at(to, ps.servers.len()));
    let wrong: Vec<&FaultStatus> = ps.faults.iter().filter(|fault| faults::is_on(fault, link)).collect();
    let (state, ink) = faults::state(link, &wrong);
    let color = place.paint.colour(if link.up && !wrong.is_empty() { term::WARN } else { ink });
    if link.up {
        context.draw(&canvas::Line { x1: from.0, y1: from.1, x2: to.0, y2: to.1, color });
    } else {
        let points: Vec<At> = (0..=POINTS).map(|nth| between(from, to, f64::from(nth) / f64::from(POINTS))).collect();
        context.draw(&Points { coords: &points, color });
    }
    let sign = match state {
        "cut" => "✂",
        "down" => "✗",
        _ if !wrong.is_empty() => "≋",
        _ if is_chosen => "▸",
        _ => return,
    };
    let (x, y) = between(from, to, 0.5);
    context.print(x, y, Line::from(place.paint.span(if link.up { term::WARN } else { ink }, sign)));
}

fn between(from: At, to: At, share: f64) -> At {
    ((to.0 - from.0).mul_add(share, from.0), (to.1 - from.1).mul_add(share, from.1))
}

/// The place of a server on the ring, the first at the top and the others clockwise.
fn at(nth: usize, of: usize) -> At {
    let angle = TAU * (0.25 - nth as f64 / of.max(1) as f64);
    (angle.cos(), angle.sin())
}
