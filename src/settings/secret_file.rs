//! A secret in a file of its own: `…_FILE`, and systemd's credentials.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::fault::Problem;

/// No secret is longer, bytes.
const LONGEST: u64 = 64 * 1024;

/// The text of the file without the line breaks at its end. Nothing of it is ever told.
pub(super) fn read(path: &Path) -> Result<String, Problem> {
    let shown = path.display();
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes)).map_err(|error| {
        Problem::new(format!("`{shown}` cannot be read: {error}"), "check its path and permissions")
    })?;
    if bytes.len() as u64 > LONGEST {
        return Err(Problem::new(format!("`{shown}` is longer than any secret"), "write the path of another file"));
    }
    let Ok(text) = String::from_utf8(bytes) else {
        return Err(Problem::new(format!("what is in `{shown}` is no UTF-8"), "write the secret as text"));
    };
    let text = text.trim_end_matches(['\n', '\r']);
    if text.trim().is_empty() {
        return Err(Problem::new(format!("`{shown}` is empty"), "write the secret into it, or leave the setting out"));
    }
    Ok(text.to_owned())
}
