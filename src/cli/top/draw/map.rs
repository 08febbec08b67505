//! Where the clients are: ratatui's own outline of the world, and a dot for each of them.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::canvas::{Canvas, Map, MapResolution};

use super::Place;
use crate::cli::human;
use crate::cli::term;
use crate::cli::top::clients::Clients;
use crate::cli::top::model::{Focus, Model};

/// With more clients than this their names would cover each other.
const NAMED_MAX: usize = 12;
/// Names need so much room.
const NAMED_WIDTH: u16 = 50;

pub fn draw(model: &Model, place: Place, area: Rect, frame: &mut Frame) {
    let clients = &model.clients;
    let (xs, ys) = window(clients, model.zoom);
    let has_names = clients.dots.len() <= NAMED_MAX && area.width >= NAMED_WIDTH;
    let canvas =
        Canvas::default().block(place.block(Focus::Map, count(clients, model.zoom))).x_bounds(xs).y_bounds(ys).paint(
            |context| {
                context.draw(&Map { resolution: MapResolution::High, color: place.paint.colour(term::SHORE) });
                context.layer();
                for dot in &clients.dots {
                    let (shape, ink) = if dot.agreed { ("●", term::GOOD) } else { ("○", term::WARN) };
                    let text = if has_names { format!("{shape} {}", dot.name) } else { shape.to_owned() };
                    let line = Line::from(place.paint.span(ink, text));
                    context.print(dot.place.longitude, dot.place.latitude, line);
                }
            },
        );
    frame.render_widget(canvas, area);
}

/// The part of the world that is shown: all of it, or nearer the middle of the clients.
fn window(clients: &Clients, zoom: u8) -> ([f64; 2], [f64; 2]) {
    let (latitude, longitude) = if zoom == 0 { (0.0, 0.0) } else { clients.middle() };
    let part = 0.5_f64.powi(zoom.into());
    let around = |middle: f64, half: f64| {
        let middle = middle.clamp(part.mul_add(half, -half), half - part * half);
        [middle - part * half, middle + part * half]
    };
    (around(longitude, 180.0), around(latitude, 90.0))
}

fn count(clients: &Clients, zoom: u8) -> Line<'static> {
    let shown = clients.dots.len() as u64;
    let count = human::count(clients.known, "client");
    let count = if shown < clients.known { format!("{} of {count}", human::thousands(shown)) } else { count };
    let zoom = if zoom > 0 { format!(" ×{}", 1_u32 << zoom) } else { String::new() };
    Line::from(format!(" {count}{zoom} "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearer_is_a_part_of_the_world_that_does_not_leave_it() {
        let mut clients = Clients::default();
        assert_eq!(window(&clients, 0), ([-180.0, 180.0], [-90.0, 90.0]));
        let place = crate::protocol::line::Place { latitude: 80.0, longitude: -118.0 };
        clients.dots.push(crate::cli::top::clients::Dot { name: "kiwi".into(), place, agreed: true });
        assert_eq!(window(&clients, 1), ([-180.0, 0.0], [0.0, 90.0]));
        let (xs, ys) = window(&clients, 4);
        assert_eq!((xs[1] - xs[0], ys[1] - ys[0], ys[1]), (22.5, 11.25, 85.625));
    }
}
