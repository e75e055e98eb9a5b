//! A variable that is no setting: it is for the project's own tests and exists only in builds with debug assertions.

use std::path::PathBuf;

/// The folder in which the crash matrix (`tests/it/record/matrix`) leaves the places where runs are to stand still until the
/// process is killed. `None` in every other process, and always in a release build.
#[must_use]
pub(crate) fn halts() -> Option<PathBuf> {
    if cfg!(debug_assertions) { std::env::var_os("TEST_HALTS_OF_ADVOSYNC").map(PathBuf::from) } else { None }
}
