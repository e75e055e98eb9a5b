//! The line that callers stand in, and what is done when Google asks to slow down.

use std::sync::Mutex;

use async_trait::async_trait;

use super::*;

/// Remembers what it was told; each place in line costs `line`.
#[derive(Default)]
struct Recording {
    line: Duration,
    taken: AtomicUsize,
    pauses: Mutex<Vec<Duration>>,
}

impl Recording {
    fn pauses(&self) -> Vec<Duration> {
        self.pauses.lock().unwrap().clone()
    }
}

#[async_trait]
impl Limiter for Recording {
    async fn take(&self) -> Result<Duration, LimiterError> {
        self.taken.fetch_add(1, Ordering::SeqCst);
        Ok(self.line)
    }

    async fn pause(&self, at_least: Duration) -> Result<(), LimiterError> {
        self.pauses.lock().unwrap().push(at_least);
        Ok(())
    }
}

/// Out of reach.
struct Broken;

#[async_trait]
impl Limiter for Broken {
    async fn take(&self) -> Result<Duration, LimiterError> {
        Err(LimiterError("no connection".to_owned()))
    }

    async fn pause(&self, _: Duration) -> Result<(), LimiterError> {
        Err(LimiterError("no connection".to_owned()))
    }
}

/// Answers with a rate limit and that `Retry-After`; returns the error, the calls, and the pauses that were told.
async fn limited(retry_after: &'static str) -> (Error, usize, Vec<Duration>) {
    let server = google(move |_| {
        let mut response = answer(429, "");
        response.headers_mut().insert("retry-after", retry_after.parse().unwrap());
        response
    })
    .await;
    let limiter = Arc::new(Recording::default());
    let error = made(&server, limiter.clone()).unwrap().ping().await.unwrap_err();
    (error, calls(&server).len(), limiter.pauses())
}

#[tokio::test]
async fn rate_limits_are_waited_for_and_told() {
    for (status, reason) in [(429, ""), (403, "rateLimitExceeded"), (403, "userRateLimitExceeded")] {
        let body = json!({ "error": { "errors": [{ "reason": reason }] } }).to_string();
        let server = google(move |_| answer(status, body.clone())).await;
        let limiter = Arc::new(Recording::default());
        let error = made(&server, limiter.clone()).unwrap().ping().await.unwrap_err();
        assert!(matches!(error, Error::RateLimited { retry_after: None, .. }), "{error}");
        assert_eq!(calls(&server).len(), 4, "{status} {reason}");
        assert_eq!(limiter.pauses(), [40, 160, 600].map(Duration::from_micros));
        assert_eq!(limiter.taken.load(Ordering::SeqCst), 4, "every request stands in line");
    }
}

#[tokio::test]
async fn a_limit_that_passes_is_not_told_to_the_caller() {
    let sent = Arc::new(AtomicUsize::new(0));
    let server = google(move |_| match sent.fetch_add(1, Ordering::SeqCst) {
        0 | 1 => answer(403, r#"{"error":{"errors":[{"reason":"rateLimitExceeded"}]}}"#),
        _ => answer(200, "{}"),
    })
    .await;
    client(&server).ping().await.unwrap();
    assert_eq!(calls(&server).len(), 3);
}

#[tokio::test]
async fn retry_after_takes_the_place_of_our_own_waits() {
    for value in ["0", "Wed, 21 Oct 2015 07:28:00 GMT"] {
        let (error, sent, pauses) = limited(value).await;
        assert_eq!((error.retry_after(), sent), (Some(Duration::ZERO), 4), "{value}");
        assert_eq!(pauses, [Duration::ZERO; 4], "the last one is told, too");
    }
}

#[tokio::test]
async fn a_long_retry_after_is_told_and_left_to_the_caller() {
    let (error, sent, pauses) = limited("61").await;
    let asked = Duration::from_secs(61);
    assert_eq!((error.retry_after(), sent, pauses), (Some(asked), 1, vec![asked]));
}

#[tokio::test]
async fn a_line_longer_than_a_minute_is_left_to_the_caller() {
    let server = says(200, "{}").await;
    let line = Duration::from_secs(90);
    let limiter = Arc::new(Recording { line, ..Recording::default() });
    let error = made(&server, limiter.clone()).unwrap().ping().await.unwrap_err();
    assert_eq!((error.retry_after(), calls(&server).len()), (Some(line), 0));
    assert_eq!(limiter.pauses(), [Duration::ZERO; 0], "a line is no reason for a pause");
}

#[tokio::test]
async fn without_the_shared_line_nothing_is_sent() {
    let server = says(200, "{}").await;
    let error = made(&server, Arc::new(Broken)).unwrap().ping().await.unwrap_err();
    assert!(matches!(&error, Error::Limiter { message } if message == "no connection"), "{error}");
    assert!(!error.effect_unknown() && !error.upstream_down());
    assert_eq!(calls(&server), [""; 0]);
}

#[tokio::test]
async fn the_repeat_after_a_401_stands_in_line_too() {
    let server = says(401, "").await;
    let limiter = Arc::new(Recording::default());
    made(&server, limiter.clone()).unwrap().ping().await.unwrap_err();
    assert_eq!((limiter.taken.load(Ordering::SeqCst), calls(&server).len()), (2, 2));
}
