//! One connection, for one request after the other.

use std::time::Duration;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode,
    header::{ACCEPT, CONTENT_TYPE, HOST, USER_AGENT},
};
use http_body_util::Full;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use lintel_tls::Stream;
use serde_json::Value;
use tokio::{task::AbortHandle, time};

use super::{
    answer::{Answer, Refusal},
    body::{self, Lines, MAX_BODY},
};

/// Until an answer that nothing is waited for is whole.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

/// What is sent along.
enum Content<'a> {
    Json(&'a Value),
    Form(String),
}

/// A connection to a server, for one request after the other.
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: HeaderValue,
    /// Header fields of every request.
    pub fields: HeaderMap,
    driver: AbortHandle,
}

impl Connection {
    pub(super) async fn over(stream: Stream, host: &str) -> Result<Self, String> {
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| error.to_string())?;
        let driver = tokio::spawn(async move {
            // Whoever waits for an answer is told the error.
            let _ = connection.await;
        });
        Ok(Self {
            sender,
            host: HeaderValue::from_str(host).map_err(|_| "the host can't be sent".to_owned())?,
            fields: HeaderMap::new(),
            driver: driver.abort_handle(),
        })
    }

    /// Sends a field that holds a secret with every request.
    ///
    /// # Errors
    ///
    /// The secret holds what no field can.
    pub fn secret(&mut self, name: HeaderName, value: &str) -> Result<(), String> {
        let mut value = HeaderValue::from_str(value.trim())
            .map_err(|_| format!("the secret for `{name}` holds characters that can't be sent"))?;
        value.set_sensitive(true);
        self.fields.insert(name, value);
        Ok(())
    }

    /// Gets a resource whole, within a time limit.
    ///
    /// # Errors
    ///
    /// There is no whole answer in time, or it is too large.
    pub async fn get(&mut self, target: &str, limit: Duration) -> Result<Answer, String> {
        self.get_small(target, limit, MAX_BODY).await
    }

    /// Gets a resource whole, within a time limit and one of its size in bytes.
    ///
    /// # Errors
    ///
    /// There is no whole answer in time, or it is too large.
    pub async fn get_small(
        &mut self,
        target: &str,
        limit: Duration,
        max: usize,
    ) -> Result<Answer, String> {
        self.whole(Method::GET, target, None, (limit, max)).await
    }

    /// Posts a form (`application/x-www-form-urlencoded`), with a limit of time and one of the
    /// answer's size in bytes.
    ///
    /// # Errors
    ///
    /// There is no whole answer in time, or it is too large.
    pub async fn post_form(
        &mut self,
        target: &str,
        form: String,
        limit: Duration,
        max: usize,
    ) -> Result<Answer, String> {
        let content = Content::Form(form);
        self.whole(Method::POST, target, Some(content), (limit, max))
            .await
    }

    /// Posts JSON and gets JSON.
    ///
    /// # Errors
    ///
    /// There is no whole answer in time.
    pub async fn post(&mut self, target: &str, body: &Value) -> Result<Answer, String> {
        let limits = (ANSWER_TIMEOUT, MAX_BODY);
        self.whole(Method::POST, target, Some(Content::Json(body)), limits)
            .await
    }

    async fn whole(
        &mut self,
        method: Method,
        target: &str,
        body: Option<Content<'_>>,
        (limit, max): (Duration, usize),
    ) -> Result<Answer, String> {
        let asked = async {
            let response = self.send(method, target, body).await?;
            let (head, incoming) = response.into_parts();
            Ok(Answer {
                status: head.status,
                fields: head.headers,
                body: body::whole(incoming, max).await?,
            })
        };
        time::timeout(limit, asked)
            .await
            .map_err(|_| format!("no answer within {} s", limit.as_secs()))?
    }

    /// Begins a request whose answer comes line by line, for as long as there is news.
    ///
    /// # Errors
    ///
    /// Also an answer that is no 200, with what it says.
    pub async fn lines(
        &mut self,
        method: Method,
        target: &str,
        body: Option<&Value>,
    ) -> Result<Lines, Refusal> {
        let sent = self.send(method, target, body.map(Content::Json));
        let response = time::timeout(ANSWER_TIMEOUT, sent)
            .await
            .map_err(|_| format!("no answer within {} s", ANSWER_TIMEOUT.as_secs()))??;
        let status = response.status();
        if status == StatusCode::OK {
            return Ok(Lines::new(response.into_body()));
        }
        let body = time::timeout(ANSWER_TIMEOUT, body::whole(response.into_body(), MAX_BODY)).await;
        let body = body.ok().and_then(Result::ok).unwrap_or_default();
        Err(Refusal::new(status, &body))
    }

    async fn send(
        &mut self,
        method: Method,
        target: &str,
        body: Option<Content<'_>>,
    ) -> Result<http::Response<hyper::body::Incoming>, String> {
        let (kind, bytes) = match body {
            None => (None, Bytes::new()),
            Some(Content::Json(body)) => (Some(JSON), body.to_string().into()),
            Some(Content::Form(form)) => (Some(FORM), form.into()),
        };
        let mut request = Request::new(Full::new(bytes));
        *request.method_mut() = method;
        *request.uri_mut() = target
            .parse()
            .map_err(|_| format!("`{target}` is no request target"))?;
        let fields = request.headers_mut();
        fields.clone_from(&self.fields);
        fields.insert(HOST, self.host.clone());
        fields.insert(ACCEPT, JSON);
        fields.insert(USER_AGENT, HeaderValue::from_static("lintel"));
        if let Some(kind) = kind {
            fields.insert(CONTENT_TYPE, kind);
        }
        let sent = async {
            self.sender.ready().await?;
            self.sender.send_request(request).await
        };
        sent.await.map_err(|error| explain(&error))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

fn explain(error: &hyper::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}
