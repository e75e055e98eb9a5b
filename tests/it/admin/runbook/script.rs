//! The runbook read as a script: its sessions and what happens between them.

/// What a command line may begin with: the rest of a shell is nobody's business here.
const PROGRAMS: [&str; 2] = ["redis-cli ", "advosync "];

/// One step of the script, with its line in the runbook, from 1.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// `<!-- stage: … -->`: something happens that no command does.
    Stage(usize, String),
    /// A command and the answer below it.
    Command { line: usize, command: String, answer: Vec<String> },
    /// `NAME='…'`, for the commands after it.
    Set(usize, String),
}

/// The steps of a text in Markdown, in order.
///
/// # Errors
/// What cannot be understood, with its line: a test that skips what it does not understand shows nothing.
pub fn read(text: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let mut block: Option<Vec<(usize, &str)>> = None;
    for (at, line) in text.lines().enumerate().map(|(at, line)| (at + 1, line)) {
        match (&mut block, line.starts_with("```")) {
            (None, true) => block = Some(Vec::new()),
            (Some(lines), true) => {
                session(lines, &mut steps)?;
                block = None;
            }
            (Some(lines), false) => lines.push((at, line)),
            (None, false) => {
                if let Some(rest) = line.strip_prefix("<!-- stage: ") {
                    let name =
                        rest.strip_suffix(" -->").ok_or_else(|| format!("line {at}: the comment does not end"))?;
                    steps.push(Step::Stage(at, name.to_owned()));
                }
            }
        }
    }
    if block.is_some() {
        return Err("a block of code does not end".to_owned());
    }
    Ok(steps)
}

/// A block with a prompt is a session; others are files, or what is typed elsewhere.
fn session(lines: &[(usize, &str)], steps: &mut Vec<Step>) -> Result<(), String> {
    if !lines.iter().any(|(_, line)| line.starts_with("$ ")) {
        return Ok(());
    }
    for (at, text) in lines {
        let Some(command) = text.strip_prefix("$ ") else {
            match steps.last_mut() {
                Some(Step::Command { answer, line, .. }) if *line < *at && *line >= lines[0].0 => {
                    answer.push((*text).to_owned());
                    continue;
                }
                _ => return Err(format!("line {at}: an answer without a command: {text}")),
            }
        };
        let is_name = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase());
        if command.split_once('=').is_some_and(|(name, _)| is_name(name)) {
            steps.push(Step::Set(*at, command.to_owned()));
        } else if PROGRAMS.iter().any(|program| command.starts_with(program)) {
            steps.push(Step::Command { line: *at, command: command.to_owned(), answer: Vec::new() });
        } else {
            return Err(format!("line {at}: neither redis-cli nor advosync: {command}"));
        }
    }
    Ok(())
}

#[test]
fn sessions_are_read_and_nothing_is_skipped() {
    let text =
        "Text\n```\nsome file\n```\n<!-- stage: it rains -->\n```\n$ K='a b'\n$ redis-cli PING\nPONG\n\nmore\n```\n";
    let command = Step::Command {
        line: 8,
        command: "redis-cli PING".into(),
        answer: ["PONG", "", "more"].map(str::to_owned).into(),
    };
    let expected = vec![Step::Stage(5, "it rains".into()), Step::Set(7, "K='a b'".into()), command];
    assert_eq!(read(text), Ok(expected));
    for (odd, why) in [
        ("```\n$ rm -rf /\n```", "line 2: neither"),
        ("```\nPONG\n$ redis-cli PING\n```", "line 2: an answer"),
        ("```\n$ K=1\nPONG\n```", "line 3: an answer"),
        ("```\n$ redis-cli PING\n```\n```\nPONG\n$ redis-cli PING\n```", "line 5: an answer"),
        ("```\n$ redis-cli PING\n", "does not end"),
        ("<!-- stage: it rains\n", "does not end"),
    ] {
        assert!(read(odd).is_err_and(|told| told.contains(why)), "{odd}: {:?}", read(odd));
    }
}
