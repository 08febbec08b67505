//! Plots as SVG: panels side by side with logarithmic axes, a line for each series, told apart below them.
//!
//! By hand, for it is a hundred lines of straight lines; a crate that plots would bring thirty others.

use std::fmt::Write as _;

const HEIGHT: f64 = 430.0;
const PANEL: (f64, f64) = (310.0, 300.0);
const TOP: f64 = 40.0;
const LEFT: f64 = 60.0;
const BETWEEN: f64 = 75.0;
const LEGEND: f64 = 135.0;

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

/// One picture: its upright axis, its level one, and where each series goes, all above 0.
pub struct Panel<'a> {
    pub title: &'a str,
    pub label: fn(f64) -> String,
    /// The powers of ten between which all values lie.
    pub decades: (i32, i32),
    /// What stands below, and the marks there: the first and the last are the edges.
    pub across: (&'a str, &'a [f64]),
    /// A line a series, in the order of their names.
    pub lines: Vec<Vec<(f64, f64)>>,
}

/// The panels from left to right, and the names of the series below them.
pub fn plot(title: &str, panels: &[Panel<'_>], series: &[String]) -> String {
    let width = LEFT + panels.len() as f64 * (PANEL.0 + BETWEEN) - BETWEEN + 40.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <title>{title}</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    for (nth, panel) in panels.iter().enumerate() {
        panel.draw(LEFT + nth as f64 * (PANEL.0 + BETWEEN), &mut svg);
    }
    for (nth, name) in series.iter().enumerate() {
        let x = LEFT + nth as f64 * LEGEND;
        let mark = line(nth, &[(x, 410.0), (x + 30.0, 410.0)]);
        let _ = writeln!(svg, "{mark}<text x=\"{}\" y=\"414\">{name}</text>", x + 36.0);
    }
    svg.push_str("</svg>\n");
    svg
}

impl Panel<'_> {
    fn draw(&self, left: f64, svg: &mut String) {
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
        for &mark in self.across.1 {
            let (x, label) = (left + self.x(mark), count(mark));
            let _ = writeln!(svg, "<path d=\"M{x:.1} {TOP}v{}\" stroke=\"#ddd\"/>", PANEL.1);
            let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{label}</text>", bottom + 15.0);
        }
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            left + PANEL.0 / 2.0,
            bottom + 32.0,
            self.across.0
        );
        for (nth, points) in self.lines.iter().enumerate() {
            let points: Vec<_> = points.iter().map(|&(x, y)| (left + self.x(x), self.y(y))).collect();
            let _ = writeln!(svg, "{}", line(nth, &points));
        }
    }

    /// From the left edge.
    fn x(&self, value: f64) -> f64 {
        let marks = self.across.1;
        let (least, most) = (marks[0], marks[marks.len() - 1]);
        PANEL.0 * (value / least).log10() / (most / least).log10()
    }

    fn y(&self, value: f64) -> f64 {
        let (low, high) = (f64::from(self.decades.0), f64::from(self.decades.1));
        TOP + PANEL.1 * (high - value.log10()) / (high - low)
    }
}

fn line(style: usize, points: &[(f64, f64)]) -> String {
    let (colour, dashes) = STYLES[style];
    let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    format!(
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.8\" stroke-dasharray=\"{dashes}\"/>",
        points.join(" ")
    )
}

/// A number as short as it can be: 200, 10k, 1M.
pub fn count(value: f64) -> String {
    match value {
        _ if value >= 1e6 => format!("{}M", value / 1e6),
        _ if value >= 1e3 => format!("{}k", value / 1e3),
        _ => format!("{value}"),
    }
}
