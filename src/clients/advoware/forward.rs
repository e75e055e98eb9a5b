//! Raw passing on for the proxy: any path below the base, Advoware's own answer back, whatever its status.

use futures::stream::{BoxStream, StreamExt as _};
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::bytes::Bytes;

use super::client::Client;
use super::error::Error;
use super::exchange::Request;
use crate::clients::{Call, Cause, http};

/// A place among the concurrent calls, held until the answer's last byte.
pub struct Admission {
    client: Client,
    call: Call,
    permit: OwnedSemaphorePermit,
}

/// A request to pass on, without the sign-in.
#[derive(Debug)]
pub struct Outgoing {
    /// Path and query below the base URL, encoded as they are to be sent, without a leading slash.
    pub target: String,
    /// Headers to send; `Authorization` is added.
    pub headers: HeaderMap,
    /// The whole body: it must be at hand for the one repeat after a 401.
    pub body: Bytes,
}

/// Advoware's answer.
pub struct Forwarded {
    /// Its status, also 4xx and 5xx.
    pub status: StatusCode,
    /// Its headers, all of them.
    pub headers: HeaderMap,
    /// Its body as it comes in. A broken connection is the last item.
    pub body: BoxStream<'static, Result<Bytes, Cause>>,
}

impl Client {
    /// Takes a place without waiting: [`Error::Busy`] when all are taken, [`Error::WriteProtected`] where no place would
    /// help. `path` is for messages.
    pub fn try_admit(&self, method: Method, path: &str) -> Result<Admission, Error> {
        let call = Call { method, path: path.to_owned() };
        self.check_protection(&call)?;
        let permit = self.permit_now()?;
        Ok(Admission { client: self.clone(), call, permit })
    }
}

impl Admission {
    /// Sends the request and returns as soon as the answer's head is here.
    pub async fn forward(self, outgoing: Outgoing) -> Result<Forwarded, Error> {
        let Self { client, call, permit } = self;
        let Outgoing { target, headers, body } = outgoing;
        let (answer, _) = client.sent(&Request { call, target, headers, body }).await?;
        let timeout = client.shared.options.timeout;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.bytes_stream().map(move |chunk| {
            let _held_until_the_stream_is_dropped = &permit;
            chunk.map_err(|error| http::transport(error, timeout).unwrap_or_else(|cause| cause))
        });
        Ok(Forwarded { status, headers, body: body.boxed() })
    }
}
