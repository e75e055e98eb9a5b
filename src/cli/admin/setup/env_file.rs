//! The file of `--write-env`: the webhooks' secrets go in, everything else in it stays as it is.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Result as IoResult, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use crate::secret::Secret;
use crate::settings::WebhookSecrets;
use crate::settings::dotenv::{value_of, with_value};

/// The setting that is written.
pub(super) const NAME: &str = "ESPOCRM_WEBHOOK_SECRET";

/// The file as it was found.
pub(super) struct EnvFile {
    path: PathBuf,
    text: String,
}

impl EnvFile {
    /// Reads the file; one that is missing is empty.
    ///
    /// # Errors
    /// It cannot be read, or has a line that nobody understands. The text holds no value.
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        // A link is followed, so that what it points to is replaced and not the link.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => return Err(format!("{} cannot be read: {error}", path.display())),
        };
        value_of(&text, NAME).map_err(|what| format!("{}: {what}", path.display()))?;
        Ok(Self { path, text })
    }

    /// The whole text with these secrets; none where it has them all. Entries that stand there stay, unless `replace`.
    ///
    /// # Errors
    /// What stands there says something else, and nobody said that it may be replaced.
    pub(super) fn with(&self, ours: &[(String, Secret)], replace: bool) -> Result<Option<String>, String> {
        let about = |what: String| format!("{}: {what}", self.path.display());
        let old = value_of(&self.text, NAME).map_err(about)?;
        let known = if replace { Vec::new() } else { known(old.as_deref()).map_err(about)? };
        if let Some((id, _)) = ours.iter().find(|(id, secret)| known.iter().any(|(at, of)| at == id && of != secret)) {
            return Err(about(format!("{NAME} has another secret for the webhook {id}; {REPLACE}")));
        }
        let missing = ours.iter().filter(|(id, _)| !known.iter().any(|(at, _)| at == id)).cloned();
        let new = listed(&known.iter().cloned().chain(missing).collect::<Vec<_>>());
        if old.as_deref() == Some(&new) || ours.iter().all(|it| known.contains(it)) {
            return Ok(None);
        }
        with_value(&self.text, NAME, &new).map(Some).map_err(about)
    }

    /// Puts the text in the file's place, at once and for its owner (and group, where it has rights already) alone.
    ///
    /// # Errors
    /// It cannot be written; then the old file is there as it was.
    pub(super) fn put(&self, text: &str) -> Result<(), String> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let beside = self.path.with_file_name(format!(".{name}.{}.new", std::process::id()));
        let done = self.replace_by(&beside, text);
        if done.is_err() {
            let _ = fs::remove_file(&beside);
        }
        done.map_err(|error| format!("{} cannot be written: {error}", self.path.display()))
    }

    fn replace_by(&self, beside: &Path, text: &str) -> IoResult<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(beside)?;
        if let Ok(old) = fs::metadata(&self.path) {
            let new = file.metadata()?;
            // A service that reads the file as its owner or group goes on doing so.
            if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
                fchown(&file, Some(old.uid()), Some(old.gid()))?;
            }
            file.set_permissions(fs::Permissions::from_mode(old.mode() & 0o660 | 0o600))?;
        }
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(beside, &self.path)?;
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }

    /// How a person knows it.
    pub(super) fn shown(&self) -> String {
        self.path.display().to_string()
    }
}

const REPLACE: &str = "nothing was written there; --replace puts what EspoCRM says in its place";

/// What stands there, by webhook.
fn known(old: Option<&str>) -> Result<Vec<(String, Secret)>, String> {
    match old.map(WebhookSecrets::parse).transpose() {
        Ok(None) => Ok(Vec::new()),
        Ok(Some(WebhookSecrets::ByWebhook(list))) => Ok(list),
        Ok(Some(WebhookSecrets::Shared(_))) => Err(format!("{NAME} is one secret for all webhooks; {REPLACE}")),
        Err(problem) => Err(format!("{NAME}: {}; {REPLACE}", problem.what)),
    }
}

/// As the setting is written.
pub(super) fn listed(secrets: &[(String, Secret)]) -> String {
    secrets.iter().map(|(id, secret)| format!("{id}:{}", secret.expose())).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, replace: bool, expected: Result<Option<&str>, &str>) {
        let file = EnvFile { path: PathBuf::from(".env"), text: text.to_owned() };
        let ours = [("a", "1"), ("b", "2")].map(|(id, secret)| (id.to_owned(), Secret::new(secret)));
        let new = file.with(&ours, replace);
        match (&new, expected) {
            (Err(said), Err(words)) => assert!(said.contains(words) && !said.contains("hush"), "{text}: {said}"),
            _ => assert_eq!(new, expected.map(|it| it.map(str::to_owned)).map_err(str::to_owned), "{text}"),
        }
    }

    #[test]
    fn what_stands_there_is_added_to_and_never_lost() {
        check("", false, Ok(Some("ESPOCRM_WEBHOOK_SECRET=a:1,b:2\n")));
        check("A=x\nESPOCRM_WEBHOOK_SECRET=\n", false, Ok(Some("A=x\nESPOCRM_WEBHOOK_SECRET=a:1,b:2\n")));
        check("ESPOCRM_WEBHOOK_SECRET=c:3,b:2", false, Ok(Some("ESPOCRM_WEBHOOK_SECRET=c:3,b:2,a:1")));
        check("ESPOCRM_WEBHOOK_SECRET='b:2, c:3 ,a:1'", false, Ok(None));
        check("ESPOCRM_WEBHOOK_SECRET=a:hush", false, Err("another secret for the webhook a; nothing was written"));
        check("ESPOCRM_WEBHOOK_SECRET=hush", false, Err("one secret for all webhooks"));
        check("ESPOCRM_WEBHOOK_SECRET=hush,", false, Err("no webhook id"));
        check("ESPOCRM_WEBHOOK_SECRET=hush\nB=2\n", true, Ok(Some("ESPOCRM_WEBHOOK_SECRET=a:1,b:2\nB=2\n")));
        check("ESPOCRM_WEBHOOK_SECRET=a:1,b:2", true, Ok(None));
    }

    #[test]
    fn the_file_is_put_in_place_whole_and_for_few_eyes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.env");
        let mode = || fs::metadata(&path).unwrap().mode() & 0o777;
        EnvFile::open(&path).unwrap().put("A=1\n").unwrap();
        assert_eq!((mode(), fs::read_to_string(&path).unwrap()), (0o600, "A=1\n".to_owned()));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let link = folder.path().join(".env");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        EnvFile::open(&link).unwrap().put("A=2\n").unwrap();
        assert!(link.is_symlink(), "what it points to was written");
        assert_eq!((mode(), fs::read_to_string(&path).unwrap()), (0o640, "A=2\n".to_owned()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left beside it");
        let nowhere = EnvFile { path: folder.path().join("no/.env"), text: String::new() };
        assert!(nowhere.put("A=3\n").unwrap_err().contains("cannot be written"));
    }
}
