//! The steps of an upload: append, ask where it stands, close, cancel; and what to do when a step breaks off.

use std::io;

use futures_util::stream;
use hythe_oci::{ContentRange, Digest};
use hythe_outbound::{Body, Content, HeaderValue, Method, Request, Response, StatusCode, Url, header};

use super::Upload;
use super::content::{Latest, watched};
use crate::blob::USEFUL;
use crate::retry::Attempts;
use crate::{Refusal, RemoteError, content_range, location};

/// A piece of the blob: its place, and where its bytes come from.
pub(super) struct Piece<'a, F> {
    pub(super) start: u64,
    pub(super) end: u64,
    /// Whether the upload ends with it.
    pub(super) closes: bool,
    pub(super) content: &'a F,
}

impl Upload {
    /// Sends the next `size` bytes. `content` gives them from an offset on that counts from the beginning of
    /// this piece; it is called again when a connection breaks, with the place where the registry says it
    /// stands. Answers how many bytes the registry has now.
    ///
    /// # Errors
    /// The registry refused, broke off too often, has lost what it had ([`RemoteError::WentBack`]), or takes
    /// larger pieces only. The session can be asked and may go on afterwards.
    pub async fn append<S>(
        &mut self,
        size: u64,
        content: impl Fn(u64) -> S + Send + Sync,
    ) -> Result<u64, RemoteError>
    where
        S: Into<Content>,
    {
        if size > 0 && size < self.smallest_piece {
            let registry = self.remote.origin().to_string();
            return Err(RemoteError::PieceTooSmall { registry, smallest: self.smallest_piece, size });
        }
        let piece = self.piece(size, false, &content)?;
        let mut attempts = self.remote.attempts(format_args!("upload to {}", self.repository));
        while self.confirmed < piece.end {
            let before = self.confirmed;
            match self.send_piece(Method::PATCH, self.location.clone(), &piece).await {
                Ok(response) if response.status().is_success() => self.took(&response, piece.end)?,
                Ok(response) => self.go_on_after_refusal(response, &piece, &mut attempts).await?,
                Err(error) => self.go_on_after_break(error, &piece, &mut attempts).await?,
            }
            if self.confirmed.saturating_sub(before) >= USEFUL {
                attempts.moved_on();
            }
        }
        Ok(self.confirmed)
    }

    /// Asks the registry how many bytes it has; the upload goes on from there.
    ///
    /// # Errors
    /// The upload is no more ([`RemoteError::is_not_found`]), or the registry did not say.
    pub async fn offset(&mut self) -> Result<u64, RemoteError> {
        let mut attempts = self.remote.attempts(format_args!("ask for an upload to {}", self.repository));
        self.locate(&mut attempts).await?;
        Ok(self.confirmed)
    }

    /// Closes the upload after its last byte: the blob is in the repository then.
    ///
    /// # Errors
    /// The bytes have another digest, or the registry refused.
    pub async fn finish(mut self, digest: &Digest) -> Result<(), RemoteError> {
        self.close(digest, 0, &|_| stream::empty()).await
    }

    /// Sends the last `size` bytes and closes the upload with the same request; `content` as in
    /// [`Upload::append`].
    ///
    /// # Errors
    /// As [`Upload::finish`] and [`Upload::append`].
    pub async fn finish_with<S>(
        mut self,
        digest: &Digest,
        size: u64,
        content: impl Fn(u64) -> S + Send + Sync,
    ) -> Result<(), RemoteError>
    where
        S: Into<Content>,
    {
        self.close(digest, size, &content).await
    }

    /// Ends the upload without a blob. One that is gone already is no error.
    ///
    /// # Errors
    /// The registry refused, or does not offer this ([`RemoteError::Unsupported`]): the upload will expire
    /// there.
    pub async fn cancel(self) -> Result<(), RemoteError> {
        let mut attempts = self.remote.attempts(format_args!("cancel an upload to {}", self.repository));
        let build = |url| Request::new(Method::DELETE, url);
        let response = self.remote.send(&mut attempts, &self.scope, &self.location, build).await?;
        match response.status() {
            StatusCode::NO_CONTENT | StatusCode::ACCEPTED | StatusCode::OK | StatusCode::NOT_FOUND => Ok(()),
            // DELETE of a session is younger than many registries.
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED | StatusCode::BAD_REQUEST => {
                let refusal = Box::new(Refusal::read(response).await);
                Err(RemoteError::Unsupported { what: "to cancel an upload", refusal })
            }
            _ => Err(self.remote.refusal(response).await),
        }
    }

    pub(super) async fn close<F, S>(
        &mut self,
        digest: &Digest,
        size: u64,
        content: &F,
    ) -> Result<(), RemoteError>
    where
        F: Fn(u64) -> S + Send + Sync,
        S: Into<Content>,
    {
        let piece = self.piece(size, true, content)?;
        let mut attempts = self.remote.attempts(format_args!("upload blob {digest}"));
        loop {
            let before = self.confirmed;
            let mut target = self.location.clone();
            target.query_pairs_mut().append_pair("digest", &digest.to_string());
            let went_on = match self.send_piece(Method::PUT, target, &piece).await {
                Ok(response) if matches!(response.status(), StatusCode::CREATED | StatusCode::NO_CONTENT) => {
                    return self.remote.confirm_digest(&response, digest);
                }
                Ok(response) => self.go_on_after_refusal(response, &piece, &mut attempts).await,
                Err(error) => self.go_on_after_break(error, &piece, &mut attempts).await,
            };
            match went_on {
                Ok(()) => {}
                // The answer to an earlier attempt was lost, and with its success the session ended.
                Err(error) if error.is_not_found() && attempts.is_repeated() => {
                    return match self.remote.has_blob(&self.repository, digest).await {
                        Ok(true) => Ok(()),
                        _ => Err(error),
                    };
                }
                Err(error) => return Err(error),
            }
            if self.confirmed.saturating_sub(before) >= USEFUL {
                attempts.moved_on();
            }
        }
    }

    fn piece<'a, F>(&self, size: u64, closes: bool, content: &'a F) -> Result<Piece<'a, F>, RemoteError> {
        Ok(Piece { start: self.confirmed, end: self.after(size)?, closes, content })
    }

    pub(super) fn after(&self, size: u64) -> Result<u64, RemoteError> {
        self.confirmed.checked_add(size).ok_or_else(|| {
            RemoteError::Content(io::Error::other("the upload would be longer than any blob can be"))
        })
    }

    /// Sends what the registry lacks of a piece.
    pub(super) async fn send_piece<F, S>(
        &self,
        method: Method,
        target: Url,
        piece: &Piece<'_, F>,
    ) -> Result<Response, RemoteError>
    where
        F: Fn(u64) -> S + Send + Sync,
        S: Into<Content>,
    {
        let fault = Latest::default();
        let (from, size) = (self.confirmed, piece.end - self.confirmed);
        // A whole blob in one PUT is no chunk, and old registries know no range there.
        let ranged = size > 0 && (method == Method::PATCH || from > 0);
        let build = |url| {
            let request = octets(Request::new(method.clone(), url));
            let request = if ranged { with_range(request, from, piece.end) } else { request };
            if size == 0 {
                return request;
            }
            let content: Content = (piece.content)(from - piece.start).into();
            let fault = fault.renew();
            request.body(Body::stream(size, content.map(move |content| watched(content, Some(size), fault))))
        };
        let answer = self.remote.attempt(&self.scope, &target, &build).await;
        answer.map_err(|error| fault.get().take().map_or(error, RemoteError::Content))
    }

    /// Takes over what the registry says after a success, which is 202 by the specification and 201 or 204 at some: where
    /// the session is now, and how much it has. Without a word on that, it has all that was sent; so it has where it says
    /// that nothing was added, for there are registries whose `Range` stays at the first piece, or counts the last one
    /// alone. The digest at the end tells if that was not so.
    pub(super) fn took(&mut self, response: &Response, end: u64) -> Result<(), RemoteError> {
        self.follow(response)?;
        self.confirmed = match response.header(&header::RANGE) {
            None => end,
            Some(text) => {
                let known = if end == 1 { 1 } else { self.confirmed };
                let stands = self.held(text, known)?;
                if stands <= self.confirmed { end } else { stands }
            }
        };
        if self.confirmed > end {
            let (has, sent) = (self.confirmed, end);
            return Err(self.remote.protocol(format!("it says it has {has} bytes of an upload of {sent}")));
        }
        Ok(())
    }

    /// A refusal that says where the upload stands is no end, if that is another place than where we went on.
    pub(super) async fn go_on_after_refusal<F>(
        &mut self,
        response: Response,
        piece: &Piece<'_, F>,
        attempts: &mut Attempts,
    ) -> Result<(), RemoteError> {
        let stands = response.header(&header::RANGE).map(|text| self.held(text, self.confirmed));
        let is_denied = matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
        match stands {
            Some(Ok(stands)) if stands != self.confirmed && !is_denied => {
                if response.headers().contains_key(header::LOCATION) {
                    self.follow(&response)?;
                }
                let refusal = self.remote.refusal(response).await;
                attempts.pause_anyway(refusal).await?;
                self.broken = true;
                self.stand_at(stands, piece)
            }
            // A 416 need not say where; then it can be asked.
            _ if response.status() == StatusCode::RANGE_NOT_SATISFIABLE => {
                let refusal = self.remote.refusal(response).await;
                let sent_from = self.confirmed;
                let stands = match self.locate(attempts).await {
                    Ok(stands) => stands,
                    Err(error) if error.is_not_found() => return Err(error),
                    // Then it cannot be asked, and what it said first says more.
                    Err(_) => return Err(refusal),
                };
                // That is where the piece lay: it is refused for something else, its length say, and will be again.
                if stands == sent_from && !self.broken {
                    return Err(refusal);
                }
                attempts.pause_anyway(refusal).await?;
                self.broken = true;
                self.stand_at(stands, piece)
            }
            _ => Err(self.remote.refusal(response).await),
        }
    }

    /// After a break nobody knows what arrived: the registry is asked.
    pub(super) async fn go_on_after_break<F>(
        &mut self,
        error: RemoteError,
        piece: &Piece<'_, F>,
        attempts: &mut Attempts,
    ) -> Result<(), RemoteError> {
        attempts.pause(error).await?;
        self.broken = true;
        let stands = match self.locate(attempts).await {
            // Some registries forget a session with its connection. Of this one they had confirmed nothing;
            // but what looks like a loss to a closing request may be its success.
            Err(error) if error.is_not_found() && piece.start == 0 && !piece.closes => 0,
            other => other?,
        };
        if stands == 0 && piece.start == 0 {
            // `0-0` is how registries write one byte as well as none. A new session has none for sure.
            let fresh = self.remote.start_upload(&self.repository, self.expected).await?;
            let old = std::mem::replace(self, fresh);
            self.broken = true;
            // It would expire by itself; not to wait for a registry in trouble is worth more.
            drop(old);
            return Ok(());
        }
        self.stand_at(stands, piece)
    }

    fn stand_at<F>(&mut self, stands: u64, piece: &Piece<'_, F>) -> Result<(), RemoteError> {
        self.confirmed = stands;
        if stands < piece.start {
            return Err(self.went_back(piece.start));
        }
        if stands > piece.end {
            let sent = piece.end;
            return Err(self
                .remote
                .protocol(format!("it says it has {stands} bytes of an upload of {sent}")));
        }
        Ok(())
    }

    /// Asks where the upload stands.
    async fn locate(&mut self, attempts: &mut Attempts) -> Result<u64, RemoteError> {
        let build = |url| Request::new(Method::GET, url);
        let response = self.remote.send(attempts, &self.scope, &self.location, build).await?;
        if !matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::OK | StatusCode::ACCEPTED) {
            return Err(self.remote.refusal(response).await);
        }
        if response.headers().contains_key(header::LOCATION) {
            self.follow(&response)?;
        }
        let text = response
            .header(&header::RANGE)
            .ok_or_else(|| self.remote.protocol("it does not say how much of an upload it has"))?;
        self.confirmed = self.held(text, self.confirmed)?;
        Ok(self.confirmed)
    }

    fn held(&self, text: &str, confirmed: u64) -> Result<u64, RemoteError> {
        content_range::held(text, confirmed)
            .ok_or_else(|| self.remote.protocol("the Range of its upload cannot be read"))
    }

    fn follow(&mut self, response: &Response) -> Result<(), RemoteError> {
        self.location = location::follow(self.remote.origin(), response)
            .map_err(|problem| self.remote.breach(problem))?;
        Ok(())
    }

    pub(super) fn went_back(&self, confirmed: u64) -> RemoteError {
        let registry = self.remote.origin().to_string();
        RemoteError::WentBack { registry, confirmed, stands: self.confirmed }
    }
}

pub(super) fn octets(request: Request) -> Request {
    request.header(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))
}

/// Says where a piece lies, so that a registry can refuse one that is out of order.
fn with_range(request: Request, from: u64, end: u64) -> Request {
    let range =
        ContentRange::new(from, end - 1).and_then(|range| HeaderValue::try_from(range.to_string()).ok());
    match range {
        Some(range) => request.header(header::CONTENT_RANGE, range),
        None => request,
    }
}
