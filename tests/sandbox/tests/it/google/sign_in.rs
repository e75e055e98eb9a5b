//! The token service and what a token opens.

use std::time::Duration;

use advosync_sandbox::{Action, Fault, Options, System};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Google, hour};

#[tokio::test]
async fn an_assertion_is_checked_claim_by_claim() {
    let google = Google::new().await;
    let now = chrono::Utc::now().timestamp();
    let check = async |replaced: Value, status: u16, error: &str| {
        let (got, answer) = google.sign_in(&google.assertion(&replaced)).await;
        assert_eq!((got, answer["error"].as_str().unwrap_or_default()), (status, error), "{replaced}: {answer}");
    };
    check(json!({}), 200, "").await;
    check(json!({"scope": "a https://www.googleapis.com/auth/calendar"}), 200, "").await;
    check(json!({"iss": "other@sandbox.iam.gserviceaccount.com"}), 400, "invalid_grant").await;
    check(json!({"aud": "https://oauth2.googleapis.com/token"}), 400, "invalid_grant").await;
    check(json!({"iat": now - 7200, "exp": now - 3600}), 400, "invalid_grant").await;
    check(json!({"exp": now + 7200}), 400, "invalid_grant").await;
    check(json!({"exp": null}), 400, "invalid_grant").await;
    check(json!({"scope": "https://www.googleapis.com/auth/drive"}), 400, "invalid_scope").await;
    check(json!({"sub": "fremd@example.com"}), 401, "unauthorized_client").await;
    check(json!({"sub": "kanzlei@example.com"}), 200, "").await;

    let padded = google.assertion(&json!({}));
    let (message, signature) = padded.rsplit_once('.').unwrap();
    assert_eq!(google.sign_in(&format!("{message}.{signature}==")).await.0, 200, "padding is taken");
    let mut forged = google.assertion(&json!({})).into_bytes();
    let last = forged.len() - 10;
    forged[last] = if forged[last] == b'A' { b'B' } else { b'A' };
    let (status, answer) = google.sign_in(&String::from_utf8(forged).unwrap()).await;
    assert_eq!((status, &answer["error"]), (400, &json!("invalid_grant")));
    assert_eq!(google.sign_in("no.jwt.atall").await.0, 400);
    assert!(google.sandbox.calls().iter().all(|call| call.system != System::GoogleSignIn || call.body.is_empty()));
}

#[tokio::test]
async fn a_token_ends_by_time_by_revocation_and_by_a_fault() {
    let mut options = Options::default();
    options.google.token_lifetime_seconds = 600;
    let mut google = Google::with(options).await;
    let (_, answer) = google.sign_in(&google.assertion(&json!({}))).await;
    assert_eq!(answer["expires_in"], json!(600));
    let list = async |google: &Google| google.call(Method::GET, "users/me/calendarList", None, None).await;
    assert_eq!(list(&google).await.status, 200);
    google.sandbox.advance(Duration::from_secs(601));
    assert_eq!(list(&google).await.error(), (401, "authError"));
    google.renew().await;
    assert_eq!(list(&google).await.status, 200, "the caller's clock did not move, and need not");
    google.sandbox.revoke_google_tokens();
    assert_eq!(list(&google).await.status, 401);
    google.renew().await;
    google.sandbox.fault(Fault::on(System::Google).once().then(Action::RevokeTokens));
    assert_eq!(list(&google).await.status, 401);
    google.renew().await;
    assert_eq!(list(&google).await.status, 200);
}

#[tokio::test]
async fn the_log_names_who_wrote() {
    let mut google = Google::new().await;
    google.insert(hour("aaaaa")).await;
    let (_, answer) = google.sign_in(&google.assertion(&json!({"sub": "kanzlei@example.com"}))).await;
    answer["access_token"].as_str().unwrap().clone_into(&mut google.token);
    google.insert(hour("bbbbb")).await;
    google.sandbox.people().google_create("AW-SB", &hour("ccccc")).unwrap();
    let by: Vec<String> = google.sandbox.effects().into_iter().map(|effect| effect.by).collect();
    assert_eq!(by, ["employee", "advosync@sandbox.iam.gserviceaccount.com", "kanzlei@example.com", "employee"]);
}

#[tokio::test]
async fn the_settings_name_a_key_file_that_goes_with_the_sandbox() {
    let google = Google::new().await;
    let env: std::collections::BTreeMap<_, _> = google.sandbox.env().into_iter().collect();
    assert_eq!(env["GOOGLE_CALENDAR_API_BASE_URL"], google.sandbox.google_base_url());
    assert_eq!(env["GOOGLE_CALENDAR_OWNER"], "kanzlei@example.com");
    let path = std::path::PathBuf::from(&env["GOOGLE_CALENDAR_SERVICE_ACCOUNT_PATH"]);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), google.sandbox.service_account_json());

    let folder = tempfile::tempdir().unwrap();
    let mut options = Options::default();
    options.google.key_file = Some(folder.path().join("key.json"));
    let other = Google::with(options).await;
    assert!(other.sandbox.env_file().contains("key.json'\n"));
    assert!(folder.path().join("key.json").exists());
}
