//! `ops/alerts.yml`: alerts on metrics that exist, each with what to do. Read in the plain form that it keeps to, so that no
//! YAML parser is needed and a slip in it is seen here.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

#[derive(Debug)]
struct Alert<'a> {
    name: &'a str,
    expr: &'a str,
    summary: &'a str,
}

/// The alerts of the file; fails at a line that is not of the plain form.
fn alerts(text: &str) -> Vec<Alert<'_>> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let head = ["groups:", "  - name: advosync", "    rules:"];
    assert_eq!(lines[..3], head);
    let mut rest = &lines[3..];
    let mut alerts = Vec::new();
    while !rest.is_empty() {
        let mut value = |before: &str, after: &str, may_lack: bool| {
            let line = rest.first().copied().unwrap_or_default();
            let value = line.strip_prefix(before).and_then(|line| line.strip_suffix(after));
            assert!(value.is_some() || may_lack, "{line:?} is not {before:?}…");
            rest = &rest[usize::from(value.is_some())..];
            value.unwrap_or_default()
        };
        let name = value("      - alert: ", "", false);
        let expr = value("        expr: ", "", false);
        let long = value("        for: ", "m", true);
        assert!(long.is_empty() || long.parse::<u32>().is_ok(), "{name}: {long}");
        let severity = value("        labels: { severity: ", " }", false);
        assert!(["warning", "critical"].contains(&severity), "{name}: {severity}");
        value("        annotations:", "", false);
        let summary = value("          summary: \"", "\"", false);
        alerts.push(Alert { name, expr, summary });
    }
    alerts
}

/// Names of ours in a text.
fn metrics(text: &str) -> Vec<&str> {
    let words = text.split(|it: char| !(it.is_ascii_alphanumeric() || it == '_'));
    words.filter(|word| word.starts_with("advosync_")).collect()
}

#[test]
fn alerts_are_about_metrics_that_exist_and_say_what_to_do() {
    let (text, runbook) = (read("ops/alerts.yml"), read("ops/runbook.md"));
    let (_, table) = runbook.split_once("## Metrics").unwrap();
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| `advosync_")).collect();
    let alerts = alerts(&text);
    let names: HashSet<&str> = alerts.iter().map(|alert| alert.name).collect();
    assert_eq!(names.len(), alerts.len(), "two have one name");
    for alert in &alerts {
        let used = metrics(alert.expr);
        assert!(!used.is_empty(), "{alert:?}");
        let balance = |open, close| alert.expr.matches(open).count() == alert.expr.matches(close).count();
        assert!(balance('(', ')') && balance('{', '}') && balance('[', ']'), "{alert:?}");
        for name in used {
            // A histogram's rows have endings of their own.
            let name = ["_bucket", "_sum", "_count"]
                .into_iter()
                .fold(name, |name, end| name.strip_suffix(end).unwrap_or(name));
            let row = rows.iter().find(|row| row.starts_with(&format!("| `{name}`")));
            let row = row.unwrap_or_else(|| panic!("{}: there is no metric {name}", alert.name));
            let labels = row.split('|').nth(2).unwrap();
            let by = alert.expr.split_once("by (").and_then(|(_, rest)| rest.split_once(')')).map(|(label, _)| label);
            let picked = alert.expr.split_once('{').and_then(|(_, rest)| rest.split_once('=')).map(|(label, _)| label);
            for label in by.into_iter().chain(picked) {
                assert!(labels.contains(&format!("`{label}`")), "{}: {name} has no label {label}", alert.name);
            }
            for label in alert.summary.split("$labels.").skip(1) {
                assert!(by.is_some_and(|by| label.starts_with(by)), "{}: no label {label}", alert.name);
            }
        }
        assert!(alert.summary.len() > 60 && alert.summary.contains(':'), "{}: what is to be done?", alert.name);
    }
    for metric in ["advosync_cron_slots_due", "advosync_queue_length", "advosync_upstream_up"] {
        assert!(alerts.iter().any(|alert| alert.expr.contains(metric)), "none about {metric}");
    }
}
