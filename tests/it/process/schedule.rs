//! `advosync schedule`: fire times, for which nothing has to be set.

use super::support::Home;

#[test]
fn fire_times_across_the_change_of_the_clocks() {
    // Broken settings do not matter to it.
    let home = Home::new().with("REDIS_URL", "nonsense").with("ADVOSYNC_LEASE", "15").file(".env", "broken");
    let check = |args: &[&str], expected: &str| {
        let ended = home.run(&[&["schedule"], args].concat()).with_code(0);
        assert_eq!(ended.stdout, format!("{expected}\n"), "{args:?}");
    };
    let berlin = |expression: &str, after: &str, expected: &str| {
        check(&[expression, "--timezone", "Europe/Berlin", "--after", after, "--count", "3", "--json"], expected);
    };
    // 02:30 does not exist on 29 March 2026: it fires when the gap is over.
    berlin(
        "30 2 * * *",
        "2026-03-28T12:00",
        r#"["2026-03-29T01:00:00Z","2026-03-30T00:30:00Z","2026-03-31T00:30:00Z"]"#,
    );
    // It exists twice on 25 October 2026: it fires once.
    berlin(
        "30 2 * * *",
        "2026-10-24T12:00",
        r#"["2026-10-25T00:30:00Z","2026-10-26T01:30:00Z","2026-10-27T01:30:00Z"]"#,
    );
    berlin(
        "0 2 * * *",
        "2026-03-27T12:00",
        r#"["2026-03-28T01:00:00Z","2026-03-29T01:00:00Z","2026-03-30T00:00:00Z"]"#,
    );
    // Both ends are exclusive, with an offset or as wall time.
    check(
        &["0 * * * *", "--timezone", "UTC", "--after", "2026-03-28T12:00", "--until", "2026-03-28T14:00:00Z", "--json"],
        r#"["2026-03-28T13:00:00Z"]"#,
    );
    check(
        &["0 * * * *", "--timezone", "Europe/Berlin", "--after", "2026-03-28T12:00:00+01:00", "--count", "1", "--json"],
        r#"["2026-03-28T12:00:00Z"]"#,
    );
    check(
        &["*/20 * * * * *", "--timezone", "UTC", "--after", "2026-01-01T00:00", "--count", "3", "--json"],
        r#"["2026-01-01T00:00:20Z","2026-01-01T00:00:40Z","2026-01-01T00:01:00Z"]"#,
    );
    check(
        &["0 2 30 2 *", "--timezone", "UTC", "--after", "2026-01-01T00:00", "--until", "2027-01-01T00:00", "--json"],
        "[]",
    );
}

#[test]
fn what_is_no_expression_is_refused_with_a_reason() {
    let home = Home::new();
    for wrong in ["61 * * * *", "often", "* * * *", ""] {
        let ended = home.run(&["schedule", wrong, "--count", "1"]);
        assert!(matches!(ended.code(), Some(1 | 2)) && !ended.stderr.is_empty(), "{wrong:?}: {ended:?}");
        assert_eq!(ended.stdout, "", "{wrong:?}");
    }
    let ended = home.run(&["schedule", "* * * * *", "--timezone", "Mars"]);
    assert!(ended.code() != Some(0) && ended.stderr.contains("Mars"), "{ended:?}");
}
