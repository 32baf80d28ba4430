//! One look at what an issuer publishes.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use lintel_jose::{KeyError, Keys};
use lintel_upstream::client::Answer;
use tokio::time;

use super::{
    age,
    endpoints::{Endpoints, Metadata},
    source::{From, Source, Terms},
    url::Url,
};

/// The longest answer that is read, in bytes: what a JWK Set may have (`Keys::from_jwks`).
const MAX_ANSWER: usize = 1 << 20;

/// What an issuer publishes.
pub(super) struct Fetched {
    pub(super) keys: Keys,
    /// Keys that can't be used.
    pub(super) left_out: Vec<KeyError>,
    /// Its endpoints, where its metadata were read.
    pub(super) endpoints: Option<Endpoints>,
    /// For how long the issuer says that this holds.
    pub(super) age: Option<Duration>,
}

pub(super) async fn fetch(source: &Source) -> Result<Fetched, String> {
    let all = async {
        let terms = &source.terms;
        let mut endpoints = None;
        let answer = match &source.from {
            From::Jwks(url) => get(url, terms).await?,
            From::Discovery {
                first,
                second,
                issuer,
            } => {
                let (url, found) = discover(first, second.as_ref(), issuer, terms).await?;
                endpoints = Some(found);
                get(&url, terms).await?
            }
        };
        let (fields, body) = good(answer)?;
        let (keys, left_out) = Keys::from_jwks(&body, &source.algorithms)
            .map_err(|error| format!("the key set can't be used: {error}"))?;
        Ok(Fetched {
            keys,
            left_out,
            endpoints,
            age: age::of(&fields),
        })
    };
    match time::timeout(source.terms.timeout, all).await {
        Ok(fetched) => fetched,
        Err(_) => Err(format!(
            "no whole answer within {} s",
            source.terms.timeout.as_secs_f64()
        )),
    }
}

/// Where the issuer's keys are, and its endpoints.
async fn discover(
    first: &Url,
    second: Option<&Url>,
    issuer: &str,
    terms: &Terms,
) -> Result<(Url, Endpoints), String> {
    let mut answer = get(first, terms).await?;
    if answer.status == StatusCode::NOT_FOUND
        && let Some(second) = second
    {
        answer = get(second, terms).await?;
    }
    let (_, body) = good(answer)?;
    let metadata: Metadata = serde_json::from_slice(&body)
        .map_err(|error| format!("the metadata of the issuer can't be read: {error}"))?;
    // "If these values are not identical, the data contained in the response MUST NOT be used"
    // (RFC 8414 §3.3).
    if metadata.issuer != issuer {
        return Err(format!(
            "the metadata are of the issuer `{}`, and not of `{issuer}`",
            shown(&metadata.issuer)
        ));
    }
    let url = Url::parse(&metadata.jwks_uri, terms.plaintext)
        .map_err(|fault| format!("the metadata's `jwks_uri`: {}", fault.message))?;
    if first.is_secure() && !url.is_secure() {
        return Err("the metadata's `jwks_uri` leaves TLS".to_owned());
    }
    let endpoints = Endpoints::of(&metadata, first, terms);
    Ok((url, endpoints))
}

async fn get(url: &Url, terms: &Terms) -> Result<Answer, String> {
    let mut connection = url.server(terms.ca.as_ref()).connect().await?;
    connection
        .get_small(url.target(), terms.timeout, MAX_ANSWER)
        .await
}

fn good(answer: Answer) -> Result<(HeaderMap, Bytes), String> {
    match answer.status {
        StatusCode::OK => Ok((answer.fields, answer.body)),
        status if status.is_redirection() => Err(format!(
            "status {status}: redirections are not followed; name the final URL"
        )),
        _ => Err(answer.refusal().text),
    }
}

/// The beginning of a text from outside, fit for a log.
fn shown(text: &str) -> String {
    const SHOWN: usize = 200;
    let printable = text.chars().filter(|c| !c.is_control());
    printable.take(SHOWN).collect()
}
