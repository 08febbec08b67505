//! The plot of the page, as SVG: three panels with logarithmic axes, a line for each shape of herd.
//!
//! By hand, for it is a hundred lines of straight lines; a crate that plots would bring thirty others.

use std::fmt::Write as _;

use herdctl::config::topology::Topology;

use super::page::{DELAYS, Row, SIZES};

const WIDTH: f64 = 1180.0;
const HEIGHT: f64 = 430.0;
const PANEL: (f64, f64) = (310.0, 300.0);
const TOP: f64 = 40.0;

/// Told apart by colour (Okabe and Ito's, which most eyes tell apart) and by dashes.
const STYLES: [(&str, &str); 8] = [
    ("#000000", ""),
    ("#0072B2", ""),
    ("#D55E00", "6 3"),
    ("#009E73", "2 3"),
    ("#CC79A7", ""),
    ("#E69F00", ""),
    ("#56B4E9", "6 3"),
    ("#D55E00", ""),
];

/// What a panel shows of a herd, and the powers of ten between which it lies.
struct Panel {
    title: &'static str,
    label: fn(f64) -> String,
    decades: (i32, i32),
    value: fn(&Row) -> Option<f64>,
}

const PANELS: [Panel; 3] = [
    Panel { title: "lines an update", label: count, decades: (0, 8), value: |row| Some(row.lines as f64) },
    Panel { title: "until the last knows, links of 0.05 ms", label: time, decades: (-2, 4), value: |row| took(row, 0) },
    Panel { title: "until the last knows, links of 20 ms", label: time, decades: (1, 6), value: |row| took(row, 2) },
];

fn took(row: &Row, nth: usize) -> Option<f64> {
    debug_assert!(nth < DELAYS.len());
    row.took.map(|took| took[nth] as f64 / 1e6)
}

pub fn plot(rows: &[Row]) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <title>What an update costs in herds of eight shapes, from 5 to 10,000 servers</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    for (nth, panel) in PANELS.iter().enumerate() {
        let left = 60.0 + nth as f64 * (PANEL.0 + 75.0);
        panel.draw(rows, left, &mut svg);
    }
    for (nth, topology) in Topology::ALL.into_iter().enumerate() {
        let x = 60.0 + nth as f64 * 135.0;
        let _ = writeln!(
            svg,
            "{}<text x=\"{}\" y=\"414\">{topology}</text>",
            line(nth, &[(x, 410.0), (x + 30.0, 410.0)]),
            x + 36.0
        );
    }
    svg.push_str("</svg>\n");
    svg
}

impl Panel {
    fn draw(&self, rows: &[Row], left: f64, svg: &mut String) {
        let bottom = TOP + PANEL.1;
        let _ = writeln!(
            svg,
            "<text x=\"{left}\" y=\"{}\" font-size=\"13\" font-weight=\"bold\">{}</text>",
            TOP - 14.0,
            self.title
        );
        for power in self.decades.0..=self.decades.1 {
            let y = self.y(10_f64.powi(power));
            let _ = writeln!(svg, "<path d=\"M{left} {y:.1}h{}\" stroke=\"#ddd\"/>", PANEL.0);
            let label = (self.label)(10_f64.powi(power));
            let _ = writeln!(svg, "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>", left - 5.0, y + 4.0);
        }
        for servers in [5, 10, 100, 1000, 10_000] {
            let x = left + across(servers);
            let _ = writeln!(svg, "<path d=\"M{x:.1} {TOP}v{}\" stroke=\"#ddd\"/>", PANEL.1);
            let _ = writeln!(
                svg,
                "<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                bottom + 15.0,
                count(servers as f64)
            );
        }
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">servers</text>",
            left + PANEL.0 / 2.0,
            bottom + 32.0
        );
        for (nth, topology) in Topology::ALL.into_iter().enumerate() {
            let points = rows
                .iter()
                .filter(|row| row.topology == topology)
                .filter_map(|row| Some((left + across(row.servers), self.y((self.value)(row)?))));
            let _ = writeln!(svg, "{}", line(nth, &points.collect::<Vec<_>>()));
        }
    }

    fn y(&self, value: f64) -> f64 {
        let (low, high) = (f64::from(self.decades.0), f64::from(self.decades.1));
        TOP + PANEL.1 * (high - value.log10()) / (high - low)
    }
}

/// From the left edge of a panel.
fn across(servers: usize) -> f64 {
    let (least, most) = (SIZES[0] as f64, SIZES[SIZES.len() - 1] as f64);
    PANEL.0 * (servers as f64 / least).log10() / (most / least).log10()
}

fn line(style: usize, points: &[(f64, f64)]) -> String {
    let (colour, dashes) = STYLES[style];
    let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    format!(
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.8\" stroke-dasharray=\"{dashes}\"/>",
        points.join(" ")
    )
}

fn count(value: f64) -> String {
    match value {
        _ if value >= 1e6 => format!("{}M", value / 1e6),
        _ if value >= 1e3 => format!("{}k", value / 1e3),
        _ => format!("{value}"),
    }
}

/// Of milliseconds.
fn time(value: f64) -> String {
    if value >= 1e3 { format!("{} s", value / 1e3) } else { format!("{value} ms") }
}
