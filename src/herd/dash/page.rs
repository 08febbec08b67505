//! What the page is made of: texts in this binary. They are served to anybody on this machine, for they hold nothing;
//! what they show they have to ask for, with the token.

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use tokio::sync::mpsc;

use super::super::Event;

/// One part of the page.
struct Part {
    path: &'static str,
    kind: &'static str,
    text: &'static str,
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! part {
    ($path:literal, $kind:expr, $file:literal) => {
        Part { path: $path, kind: $kind, text: include_str!(concat!("page/", $file)) }
    };
}

const PARTS: &[Part] = &[
    part!("/", HTML, "index.html"),
    part!("/dash.css", CSS, "dash.css"),
    part!("/main.js", SCRIPT, "main.js"),
    part!("/herd.js", SCRIPT, "herd.js"),
    part!("/elements.js", SCRIPT, "elements.js"),
    part!("/topology.js", SCRIPT, "topology.js"),
    part!("/actions.js", SCRIPT, "actions.js"),
    part!("/flood.js", SCRIPT, "flood.js"),
    part!("/player.js", SCRIPT, "player.js"),
    part!("/map.js", SCRIPT, "map.js"),
    part!("/track.js", SCRIPT, "track.js"),
    part!("/lists.js", SCRIPT, "lists.js"),
];

/// Adds a route for each part.
pub fn routes(router: Router<mpsc::Sender<Event>>) -> Router<mpsc::Sender<Event>> {
    PARTS.iter().fold(router, |router, part| {
        router.route(part.path, get(move || async move { ([(CONTENT_TYPE, part.kind)], part.served()) }))
    })
}

impl Part {
    /// Without what only its readers here need: comments and indentation.
    fn served(&self) -> String {
        let is_read = |line: &&str| !line.is_empty() && !line.starts_with("//");
        self.text.lines().map(str::trim_start).filter(is_read).flat_map(|line| [line, "\n"]).collect()
    }
}

/// Whether this is the path of a part of the page.
pub fn is_part(path: &str) -> bool {
    PARTS.iter().any(|part| part.path == path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::DASH_PAGE_BYTES_MAX;

    #[test]
    fn the_page_is_small() {
        let bytes: usize = PARTS.iter().map(|part| part.served().len()).sum();
        assert!(bytes <= DASH_PAGE_BYTES_MAX, "{bytes} bytes");
    }

    /// What comes from the network is text and nothing else; and the page needs nobody but its herd.
    #[test]
    fn no_part_makes_markup_of_text_or_names_another_host() {
        let never = ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "https://", "style="];
        for part in PARTS {
            let found = never.iter().find(|word| part.text.contains(**word));
            assert!(found.is_none(), "{}: {found:?}", part.path);
            let addresses = part.text.matches("http://").count();
            let namespaces = part.text.matches("http://www.w3.org/2000/svg").count();
            assert_eq!(addresses, namespaces, "{}", part.path);
        }
    }

    /// WCAG 2.2, 1.4.3: text stands out from what is behind it by 4.5 to 1 at least, in light and in dark.
    #[test]
    fn what_is_written_can_be_read() {
        let css = PARTS.iter().find(|part| part.kind == CSS).expect("a style sheet").text;
        for paper in ["card", "paper"] {
            for ink in ["ink", "soft", "good", "bad", "warn", "link", "dot"] {
                for (one, other) in colours(css, paper).into_iter().zip(colours(css, ink)) {
                    let contrast = (one.max(other) + 0.05) / (one.min(other) + 0.05);
                    assert!(contrast >= 4.5, "{ink} on {paper}: {contrast:.2}");
                }
            }
        }
    }

    /// How bright a colour is, from 0 to 1, in light and in dark.
    fn colours(css: &str, name: &str) -> [f64; 2] {
        let (_, rest) = css.split_once(&format!("--{name}: light-dark(#")).expect(name);
        let (pair, _) = rest.split_once(')').expect("two colours");
        let (light, dark) = pair.split_once(", #").expect("two colours");
        [light, dark].map(luminance)
    }

    fn luminance(colour: &str) -> f64 {
        let part = |at: usize| {
            let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).expect("hexadecimal")) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(0) + 0.7152 * part(2) + 0.0722 * part(4)
    }
}
