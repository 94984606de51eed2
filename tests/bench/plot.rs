//! Horizontal bars as SVG: one for each row, with a whisker from the least to
//! the most. Where cases have several rows, each case has a scale of its own.

use std::fmt::Write as _;

use crate::page::value_text;
use crate::results::{Row, Section, Spread};

const WIDTH: f64 = 900.0;
/// Where bars begin, and the most they take.
const LEFT: f64 = 400.0;
const LONGEST: f64 = 370.0;
const BAR: f64 = 16.0;
const STEP: f64 = 20.0;
/// Before each case.
const GAP: f64 = 10.0;
const TOP: f64 = 40.0;

/// Ottla and others, durable ones darker.
fn colour(row: &Row) -> &'static str {
    match (row.server.as_str(), row.durability.contains("fsync")) {
        ("Ottla", true) => "#b7410e",
        ("Ottla", false) => "#e8a07a",
        (_, true) => "#3b6ea5",
        (_, false) => "#9dbfe0",
    }
}

/// The plot of the section's plotted column.
pub(crate) fn svg(title: &str, section: &Section) -> String {
    let column = &section.columns[section.plotted];
    let rows = section.rows.iter().filter_map(|row| Some((row, row.cells[section.plotted]?)));
    let rows: Vec<_> = rows.collect();
    let most = |rows: &[(&Row, Spread)]| {
        rows.iter().map(|(_, cell)| cell.max).fold(f64::MIN_POSITIVE, f64::max)
    };
    let cases = || rows.chunk_by(|(a, _), (b, _)| a.case == b.case);
    let has_one_scale = cases().all(|case| case.len() == 1);
    let mut body = String::new();
    let mut y = TOP;
    for case in cases() {
        y += GAP;
        let most = if has_one_scale { most(&rows) } else { most(case) };
        let x = |value: f64| LEFT + LONGEST * value / most;
        let _ = writeln!(
            body,
            r#"<text x="8" y="{:.0}" font-weight="bold">{}</text>"#,
            y + BAR - 4.0,
            escaped(&case[0].0.case)
        );
        for (row, cell) in case {
            let middle = y + BAR / 2.0;
            let name = escaped(&format!("{}, {}", row.server, row.durability.replace('`', "")));
            let _ = writeln!(
                body,
                r#"<text x="{:.0}" y="{:.0}" text-anchor="end">{name}</text>"#,
                LEFT - 8.0,
                y + BAR - 4.0
            );
            let _ = writeln!(
                body,
                r#"<rect x="{LEFT}" y="{y}" width="{:.1}" height="{BAR}" fill="{}"/>"#,
                x(cell.median) - LEFT,
                colour(row)
            );
            let _ = writeln!(
                body,
                r##"<path d="M{:.1} {middle}H{:.1}" stroke="#222"/>"##,
                x(cell.min),
                x(cell.max)
            );
            let _ = writeln!(
                body,
                r#"<text x="{:.1}" y="{:.0}">{}</text>"#,
                x(cell.max) + 6.0,
                y + BAR - 4.0,
                value_text(cell.median, column.unit)
            );
            y += STEP;
        }
    }
    let height = y + GAP;
    let scale = if has_one_scale { "" } else { " (each case with a scale of its own)" };
    let title = escaped(&format!("{title}: {}{scale}", column.title));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"8\" y=\"24\" font-size=\"16\">{title}</text>\n{body}</svg>\n"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
