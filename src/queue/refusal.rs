//! What Redis says when our user may not do something lacks what a person has to know: which command, and which key.

use redis::{Arg, Cmd, ErrorKind, RedisError, ServerErrorKind};

/// How many keys are named; a batch has thousands.
const KEYS: usize = 4;
/// Words of both servers about what a function may not do for this user.
const IN_FUNCTIONS: [&str; 2] = ["ACL failure in script", "The user executing the script can't"];

/// Whether Redis does not allow something to our user, by itself or on behalf of a function.
pub(super) fn is_refusal(error: &RedisError) -> bool {
    error.code() == Some("NOPERM") || {
        let text = error.to_string();
        IN_FUNCTIONS.iter().any(|words| text.contains(words))
    }
}

/// Whether a refusal of this is usual: settings hold passwords, and we do without seeing them.
pub(super) fn is_expected(cmd: &Cmd) -> bool {
    matches!(cmd.args_iter().next(), Some(Arg::Simple(b"CONFIG")))
}

/// The refusal, with what was sent.
pub(super) fn explained(refusal: &RedisError, cmd: &Cmd) -> RedisError {
    let text = format!("{refusal}; sent was {}", described(cmd));
    (ErrorKind::Server(ServerErrorKind::NoPerm), "not allowed", text).into()
}

/// The command and its first keys, without what is stored under them.
fn described(cmd: &Cmd) -> String {
    let mut words = cmd.args_iter().map(|arg| match arg {
        Arg::Simple(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        _ => String::new(),
    });
    let name = words.next().unwrap_or_default();
    let mut shown: Vec<String> = match name.as_str() {
        "FCALL" | "FCALL_RO" => {
            let function = words.next();
            let count = words.next().and_then(|count| count.parse().ok()).unwrap_or(0);
            function.into_iter().chain(words.take(KEYS.min(count))).collect()
        }
        "XREADGROUP" | "XREAD" => words.skip_while(|word| word != "STREAMS").take(KEYS).collect(),
        // Their second word is a part of the command.
        "XGROUP" | "XINFO" | "CONFIG" => words.take(2).collect(),
        _ => words.take(1).collect(),
    };
    shown.insert(0, name);
    shown.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cmd(words: &[&str]) -> Cmd {
        let mut cmd = redis::cmd(words[0]);
        cmd.arg(&words[1..]);
        cmd
    }

    #[test]
    fn the_command_and_its_keys_are_named_and_nothing_of_the_values() {
        let check = |words: &[&str], expected: &str| assert_eq!(described(&cmd(words)), expected);
        check(&["HSET", "ledger:x:pairs", "id", "party"], "HSET ledger:x:pairs");
        check(
            &["FCALL", "advosync_2_enqueue", "2", "jobs:vmh", "vmh:p", "party"],
            "FCALL advosync_2_enqueue jobs:vmh vmh:p",
        );
        check(&["FCALL", "f", "6", "1", "2", "3", "4", "5", "6", "party"], "FCALL f 1 2 3 4");
        check(&["XREADGROUP", "GROUP", "g", "c", "STREAMS", "jobs:vmh", ">"], "XREADGROUP STREAMS jobs:vmh >");
        check(&["XGROUP", "CREATE", "jobs:vmh", "workers", "0"], "XGROUP CREATE jobs:vmh");
        check(&["FUNCTION", "LOAD", "REPLACE", "#!lua"], "FUNCTION LOAD");
        check(&["PING"], "PING");
    }

    #[test]
    fn refusals_are_told_from_other_errors_and_stay_refusals() {
        assert!(!is_refusal(&RedisError::from((ErrorKind::Io, "away"))));
        let refusal = RedisError::from((ErrorKind::Server(ServerErrorKind::NoPerm), "no"));
        assert!(is_refusal(&refusal) && is_refusal(&explained(&refusal, &cmd(&["GET", "k"]))));
        let inside =
            "The user executing the script can't run this command or subcommand script: a, on @user_function:2.";
        assert!(is_refusal(&RedisError::from((
            ErrorKind::Server(ServerErrorKind::ResponseError),
            "e",
            inside.to_owned()
        ))));
        assert!(is_expected(&cmd(&["CONFIG", "GET", "dir"])) && !is_expected(&cmd(&["GET", "CONFIG"])));
    }
}
