//! Reading a request's body into memory, within bounds: of one body, and of all that are being read at once.

use std::sync::Arc;

use axum::body::Body;
use axum::http::StatusCode;
use futures::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::answer::ApiError;

/// All bodies together may take this much memory, and at least four of the largest.
const ALL_BODIES: usize = 256 * 1024 * 1024;
/// After a body has turned out too large this much more is read and thrown away: a client that is cut off while it
/// still sends does not see the answer.
const DISCARDED: usize = 64 * 1024 * 1024;

/// Reads bodies. A body takes room as it arrives, so that slow senders hold only what they have sent.
#[derive(Clone)]
pub(super) struct Reader {
    max: usize,
    room: Arc<Semaphore>,
}

/// A body in memory; its room is free again when it is dropped.
pub(super) struct Received {
    bytes: Vec<u8>,
    _room: Option<OwnedSemaphorePermit>,
}

impl Received {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Reader {
    /// Takes bodies of at most `max` bytes each.
    pub(super) fn new(max: usize) -> Self {
        let room = max.saturating_mul(4).clamp(ALL_BODIES, Semaphore::MAX_PERMITS);
        Self { max, room: Arc::new(Semaphore::new(room)) }
    }

    /// The whole body. 413 where it is too large, 400 where the connection broke.
    pub(super) async fn read(&self, body: Body) -> Result<Received, ApiError> {
        let mut chunks = body.into_data_stream();
        let mut bytes = Vec::new();
        let mut held: Option<OwnedSemaphorePermit> = None;
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| {
                ApiError::bad_request("body_unreadable", format!("the body ended before it was complete: {error}"))
            })?;
            if bytes.len() + chunk.len() > self.max {
                drop((bytes, held));
                let mut discarded = 0;
                while discarded < DISCARDED
                    && let Some(Ok(chunk)) = chunks.next().await
                {
                    discarded += chunk.len();
                }
                return Err(self.too_large());
            }
            let taken = self.take_room(chunk.len()).await?;
            match &mut held {
                Some(held) => held.merge(taken),
                None => held = Some(taken),
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Received { bytes, _room: held })
    }

    async fn take_room(&self, bytes: usize) -> Result<OwnedSemaphorePermit, ApiError> {
        let bytes = u32::try_from(bytes).map_err(|_| self.too_large())?;
        Arc::clone(&self.room).acquire_many_owned(bytes).await.map_err(|_| {
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the server stops, send it again later")
        })
    }

    fn too_large(&self) -> ApiError {
        ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            format!("the body is larger than {} bytes: send less at once, or raise ADVOSYNC_MAX_BODY_BYTES", self.max),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_is_taken_up_to_its_bound() {
        let reader = Reader::new(10);
        let check = async |length: usize, expected: Result<usize, &str>| {
            let read = reader.read(Body::from(vec![b'x'; length])).await;
            let read = read.map(|body| body.bytes().len()).map_err(|error| error.code());
            assert_eq!(read, expected, "{length}");
        };
        check(0, Ok(0)).await;
        check(10, Ok(10)).await;
        check(11, Err("body_too_large")).await;
        check(100_000, Err("body_too_large")).await;
        assert_eq!(reader.room.available_permits(), ALL_BODIES, "all room is free again");
    }
}
