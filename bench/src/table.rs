//! The table that is printed: one line per server and workload, and under which conditions it was measured.

use crate::load::{Round, median};

/// One figure of one server.
pub(crate) struct Line {
    pub(crate) work: String,
    pub(crate) server: String,
    /// Of each round.
    pub(crate) figures: Vec<f64>,
    pub(crate) unit: &'static str,
    /// What was checked and what differs from the other lines.
    pub(crate) conditions: String,
}

impl Line {
    pub(crate) fn figure(&self) -> f64 {
        median(self.figures.clone())
    }
}

/// What is compared with what, and the mark to reach.
pub(crate) struct Mark {
    pub(crate) of: usize,
    pub(crate) against: usize,
    /// The ratio that must not be passed (`AtMost`) or must be reached (`AtLeast`).
    pub(crate) reach: Reach,
}

#[derive(Clone, Copy)]
pub(crate) enum Reach {
    AtMost(f64),
    AtLeast(f64),
    /// Only told.
    Told,
}

pub(crate) fn heading() {
    println!("| work | server | median | rounds | checked; conditions |");
    println!("|---|---|---|---|---|");
}

/// Prints lines and what they say together.
pub(crate) fn show(lines: &[Line], marks: &[Mark]) {
    for line in lines {
        let rounds: Vec<String> = line.figures.iter().map(|figure| digits(*figure)).collect();
        println!(
            "| {} | {} | {} {} | {} | {} |",
            line.work,
            line.server,
            digits(line.figure()),
            line.unit,
            rounds.join(" "),
            line.conditions
        );
    }
    for mark in marks {
        let (of, against) = (&lines[mark.of], &lines[mark.against]);
        let ratio = of.figure() / against.figure();
        let verdict = match mark.reach {
            Reach::AtMost(most) if ratio <= most => format!("reached (at most {most})"),
            Reach::AtMost(most) => format!("MISSED (at most {most})"),
            Reach::AtLeast(least) if ratio >= least => format!("reached (at least {least})"),
            Reach::AtLeast(least) => format!("MISSED (at least {least})"),
            Reach::Told => "for information".to_owned(),
        };
        println!("| | **{} ÷ {}** | **{}** | | {verdict} |", of.server, against.server, digits(ratio));
    }
}

/// A figure against a fixed mark.
pub(crate) fn show_limit(line: &Line, most: f64) {
    show(std::slice::from_ref(line), &[]);
    let verdict = if line.figure() <= most { "reached" } else { "MISSED" };
    println!("| | **limit** | **{} {}** | | {verdict} |", digits(most), line.unit);
}

/// What a round's answers were, for the column of conditions.
pub(crate) fn checked(round: &Round, more: &str) -> String {
    let statuses: Vec<String> =
        round.statuses.iter().map(|(status, count)| format!("{status}×{count}")).collect();
    format!("{} MiB, {}; {more}", round.bytes >> 20, statuses.join(" "))
}

fn digits(figure: f64) -> String {
    match figure.abs() {
        size if size >= 100.0 => format!("{figure:.0}"),
        size if size >= 10.0 => format!("{figure:.1}"),
        size if size >= 1.0 => format!("{figure:.2}"),
        _ => format!("{figure:.3}"),
    }
}
