//! The service account: a key of this process and its file (google-calendar.md, Sign-in).

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;
use tempfile::TempDir;

use crate::options::GoogleOptions;

/// Making a key takes a moment, so all sandboxes of a process share one.
static KEY: LazyLock<RsaKeyPair> =
    LazyLock::new(|| RsaKeyPair::generate(KeySize::Rsa2048).expect("a key of 2048 bits can be made"));

/// Whether the service account signed these bytes, by RS256.
pub(super) fn signed(message: &[u8], signature: &[u8]) -> bool {
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, KEY.public_key().as_ref());
    public.verify(message, signature).is_ok()
}

/// The key file's text, as Google's console offers it for download.
pub(crate) fn file_text(options: &GoogleOptions, origin: &str) -> String {
    let account = json!({
        "type": "service_account",
        "project_id": "advosync-sandbox",
        "private_key_id": "0000000000000000000000000000000000000001",
        "private_key": pem(),
        "client_email": options.service_account,
        "client_id": "100000000000000000001",
        "auth_uri": format!("{origin}/google/oauth/auth"),
        "token_uri": format!("{origin}{}", super::token::TOKEN),
        "universe_domain": "googleapis.com",
    });
    format!("{account:#}\n")
}

fn pem() -> String {
    let der = KEY.as_der().expect("a key that was made here has a PKCS#8 form");
    let text = BASE64_STANDARD.encode(der.as_ref());
    let lines = text.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line) + "\n");
    format!("-----BEGIN PRIVATE KEY-----\n{}-----END PRIVATE KEY-----\n", lines.collect::<String>())
}

/// Where the key file is; a temporary folder goes with the sandbox.
#[derive(Debug)]
pub(crate) struct KeyFile {
    path: PathBuf,
    _folder: Option<TempDir>,
}

impl KeyFile {
    /// Decides the place; nothing is written yet.
    pub(crate) fn at(wanted: Option<&Path>) -> std::io::Result<Self> {
        if let Some(path) = wanted {
            let path = std::path::absolute(path)?;
            // Found out now, not when the settings are asked for.
            std::fs::read_dir(path.parent().unwrap_or(&path))?;
            return Ok(Self { path, _folder: None });
        }
        let folder = tempfile::Builder::new().prefix("advosync-sandbox-").tempdir()?;
        Ok(Self { path: folder.path().join("service-account.json"), _folder: Some(folder) })
    }

    /// Writes it and answers its absolute path.
    pub(crate) fn written(&self, text: &str) -> &Path {
        std::fs::write(&self.path, text).expect("the folder of the key file can be written");
        &self.path
    }
}
