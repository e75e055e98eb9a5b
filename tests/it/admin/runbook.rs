//! The runbook (`ops/runbook.md`) says what its commands say: they are run here, all of them, in order, in one installation.
//!
//! - A block of code with lines that begin with `$ ` is a session; below each command stands its answer. `…` alone on a line
//!   stands for any number of lines, at the end of a line for the rest of it.
//! - What is different each time has to be of the same kind: times, ages, traces, random numbers. An entry's id, a record's id
//!   and a process are names: the runbook's stand for the real ones, the same name for the same thing wherever it occurs. So
//!   an id in a command is one that an answer above it shows.
//! - Blanks, which align, do not count. Everything else has to be as it is shown, numbers as well.
//! - `<!-- stage: … -->` says what happens in between: [`Stage::play`].

mod script;
mod shape;
mod stage;

use std::fs;
use std::path::{Path, PathBuf};

use script::Step;
use shape::Names;
use stage::Stage;

fn runbook() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ops/runbook.md")).unwrap()
}

#[tokio::test]
async fn its_commands_say_what_it_shows() {
    let steps = script::read(&runbook()).unwrap();
    let mut stage = Stage::set().await;
    let (mut names, mut wrong, mut ran) = (Names::default(), Vec::new(), 0);
    for step in &steps {
        match step {
            Step::Stage(line, name) => assert!(stage.play(name).await, "line {line}: no stage is called {name}"),
            Step::Set(_, assignment) => stage.assign(assignment),
            Step::Command { line, command, answer } => {
                let said = match names.in_command(command) {
                    Ok(command) => stage.run(&command).await,
                    Err(why) => panic!("line {line}: {command}\n{why}\n\nbefore that:\n{}", wrong.join("\n")),
                };
                if let Err(why) = names.check(answer, &said) {
                    wrong.push(format!("line {line}: $ {command}\n{why}\n────\n{said}────\n"));
                }
                ran += 1;
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {ran} answers are not what is shown\n\n{}", wrong.len(), wrong.join("\n"));
    assert!(ran > 20, "only {ran} commands");
}

/// The text of every source file, without its tests and comments.
fn sources() -> Vec<(PathBuf, String)> {
    fn walk(path: &Path, out: &mut Vec<(PathBuf, String)>) {
        if path.is_dir() {
            for entry in fs::read_dir(path).unwrap() {
                walk(&entry.unwrap().path(), out);
            }
        } else if path.extension().is_some_and(|ext| ext == "rs") && !path.ends_with("tests.rs") {
            let text = fs::read_to_string(path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            let lines: Vec<&str> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            out.push((path.to_owned(), lines.join("\n")));
        }
    }
    let mut out = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut out);
    out
}

/// What stands between `before` and the next quotation mark, wherever that occurs.
fn quoted<'a>(text: &'a str, before: &str) -> Vec<&'a str> {
    text.split(before).skip(1).filter_map(|rest| rest.split_once('"')).map(|(word, _)| word).collect()
}

/// The rows of a table: what stands in backquotes in the given column, from 0.
fn in_table<'a>(text: &'a str, heading: &str, column: usize) -> Vec<&'a str> {
    let (_, rest) = text.split_once(heading).unwrap_or_else(|| panic!("no {heading}"));
    let rows = rest.lines().skip(1).skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    rows.filter_map(|row| row.split('|').nth(column + 1)).flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect()
}

#[test]
fn it_has_every_metric_and_no_other() {
    let text = runbook();
    let told = in_table(&text, "## Metrics", 0);
    let code = sources();
    let has = |name: &str| code.iter().any(|(_, text)| text.contains(&format!("\"{name}\"")));
    for name in &told {
        assert!(has(name), "there is no metric {name}");
    }
    for (path, text) in &code {
        for macro_name in ["counter!(\"", "histogram!(\"", "gauge!(\"", "name: \"advosync_"] {
            for word in quoted(text, macro_name) {
                let name = if macro_name.starts_with("name") { format!("advosync_{word}") } else { word.to_owned() };
                assert!(told.contains(&name.as_str()), "{name} of {} is not told", path.display());
            }
        }
    }
    assert!(told.len() > 10, "{told:?}");
}

#[test]
fn it_has_every_code_of_a_dead_letter_and_every_result() {
    let text = runbook();
    let codes = in_table(&text, "What the codes ask for", 0);
    let results = text.split("Results: ").nth(1).unwrap().split("\n\n").next().unwrap();
    for (path, code) in sources() {
        let room = |name: &str| path.components().any(|part| part.as_os_str() == name);
        if !(room("sync") || room("worker") || room("queue")) {
            continue;
        }
        for before in
            ["code: \"", "Fault::new(\"", "Fault::new(\n            \"", "Fault::new(\n                \"", "failed(\""]
        {
            for word in quoted(&code, before) {
                assert!(codes.contains(&word), "the code {word} of {} is not told", path.display());
            }
        }
        for before in ["Report::new(\"", "result: \"", "reason: \"echo"] {
            for word in
                quoted(&code, before).into_iter().map(|word| if before.ends_with("echo") { "echo" } else { word })
            {
                assert!(results.contains(&format!("`{word}`")), "the result {word} of {} is not told", path.display());
            }
        }
    }
    for code in ["advoware", "espocrm", "malformed"] {
        assert!(codes.contains(&code), "{code} is not told");
    }
}

/// The messages of all warnings and errors in a source file.
fn complaints(code: &str) -> Vec<&str> {
    let calls = ["tracing::warn!(", "tracing::error!("].into_iter().flat_map(|call| code.split(call).skip(1));
    calls
        .filter_map(|call| {
            // Values may be text as well; the message comes last.
            let (before, message) = arguments(call).trim_end().strip_suffix('"')?.rsplit_once('"')?;
            (!before.ends_with('=') && message != "{}").then_some(message)
        })
        .collect()
}

/// What stands before the parenthesis that closes a call.
fn arguments(code: &str) -> &str {
    let (mut depth, mut in_text) = (0_i32, false);
    let end = code.bytes().position(|byte| {
        match byte {
            b'"' => in_text = !in_text,
            b'(' if !in_text => depth += 1,
            b')' if !in_text => depth -= 1,
            _ => {}
        }
        depth < 0
    });
    &code[..end.unwrap_or(code.len())]
}

#[test]
fn its_log_lines_are_those_of_the_program() {
    let text = runbook();
    let code = sources();
    let told = in_table(&text, "## Log lines", 1);
    for message in &told {
        let begins = message.strip_suffix('…').unwrap_or(message);
        let quoted = if begins.len() < message.len() { format!("\"{begins}") } else { format!("\"{begins}\"") };
        assert!(code.iter().any(|(_, text)| text.contains(&quoted)), "nothing logs {message:?}");
    }
    let is_told = |message: &str| {
        told.iter()
            .any(|told| *told == message || told.strip_suffix('…').is_some_and(|begins| message.starts_with(begins)))
    };
    let mut found = 0;
    for (path, code) in &code {
        for message in complaints(code) {
            assert!(is_told(message), "{message:?} of {} is not told", path.display());
            found += 1;
        }
    }
    assert!(found > 40, "only {found} warnings and errors were found");
}
