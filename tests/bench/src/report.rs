//! The figures, as a table and as `target/bench.json`.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// One figure.
pub(crate) struct Figure {
    /// Its name in `target/bench.json`.
    pub(crate) name: String,
    /// What was measured of the product, or of the peer.
    pub(crate) value: f64,
    /// The same of raw Redis.
    pub(crate) raw: Option<f64>,
    /// The one over the other: the median of the pairs, not the quotient of the medians.
    pub(crate) ratio: Option<f64>,
    /// The smallest and the largest of the pairs: how much the machine was disturbed.
    pub(crate) spread: Option<[f64; 2]>,
    /// The unit of value and raw.
    pub(crate) unit: &'static str,
    /// What is good.
    pub(crate) better: Better,
    /// What is asked for.
    pub(crate) goal: Option<Goal>,
}

/// Which way is better.
#[derive(Clone, Copy)]
pub(crate) enum Better {
    /// Rates.
    More,
    /// Times, CPU, bytes, calls.
    Less,
}

/// What the figure, or its ratio, has to reach.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    /// The ratio to raw.
    Ratio(f64),
    /// The figure itself.
    Value(f64),
}

impl Figure {
    /// One of the product alone, of which less is better.
    pub(crate) fn of_product(name: String, value: f64, unit: &'static str, goal: Option<f64>) -> Self {
        let goal = goal.map(Goal::Value);
        Self { name, value, raw: None, ratio: None, spread: None, unit, better: Better::Less, goal }
    }

    fn verdict(&self) -> (String, &'static str) {
        let sign = match self.better {
            Better::More => '≥',
            Better::Less => '≤',
        };
        let (text, found, wanted) = match self.goal {
            None => return ("-".to_owned(), ""),
            Some(Goal::Ratio(goal)) => (format!("ratio {sign} {goal}"), self.ratio.unwrap_or(f64::NAN), goal),
            Some(Goal::Value(goal)) => (format!("{sign} {goal}"), self.value, goal),
        };
        let ok = match self.better {
            Better::More => found >= wanted,
            Better::Less => found <= wanted,
        };
        (text, if ok { "ok" } else { "missed" })
    }
}

/// Prints all figures.
pub(crate) fn print(figures: &[Figure]) {
    println!(
        "\n{:<38} {:>10} {:>10} {:<10} {:>6} {:<13} {:<6} {:>12}",
        "figure", "value", "raw redis", "unit", "ratio", "(of pairs)", "better", "goal"
    );
    let number = |number: Option<f64>, digits: usize| {
        number.map_or_else(|| "-".to_owned(), |number| format!("{number:.digits$}"))
    };
    for figure in figures {
        let better = match figure.better {
            Better::More => "more",
            Better::Less => "less",
        };
        let spread = figure.spread.map(|[least, most]| format!("({least:.2}-{most:.2})")).unwrap_or_default();
        let (goal, verdict) = figure.verdict();
        let digits = if figure.value >= 1_000.0 { 0 } else { 3 };
        println!(
            "{:<38} {:>10} {:>10} {:<10} {:>6} {spread:<13} {better:<6} {goal:>12} {verdict}",
            figure.name,
            number(Some(figure.value), digits),
            number(figure.raw, digits),
            figure.unit,
            number(figure.ratio, 2),
        );
    }
}

/// Writes all figures.
pub(crate) fn write(figures: &[Figure], path: &Path) -> Result<()> {
    let list: Vec<Value> = figures
        .iter()
        .map(|it| json!({ "name": it.name, "value": it.value, "raw": it.raw, "ratio": it.ratio, "unit": it.unit }))
        .collect();
    std::fs::write(path, format!("{:#}\n", Value::from(list)))
        .with_context(|| format!("cannot write {}", path.display()))
}
