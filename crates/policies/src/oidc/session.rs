//! Sessions: who is logged in, as the browser keeps it.

use std::{fmt, rc::Rc, sync::Arc};

use http::{HeaderMap, HeaderValue};
use lintel_jose::{Claims, Token, fingerprint};
use lintel_kernel::{Identity, Secret};
use lintel_state::{Local, Memory};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{cookies::Cookies, seal::Seal};
use crate::{consumers::Claimed, live::Live};

/// All sessions in use: routes with equal settings share what they have decrypted.
static LIVE: Live<Sessions> = Live::new();

/// What an entry of the memory costs beside the text of its cookie: claims, key, table.
const ENTRY: usize = 512;

/// What decides about a session.
#[derive(Debug, PartialEq)]
pub(super) struct Settings {
    pub(super) cookies: Cookies,
    pub(super) secrets: Vec<Secret>,
    /// Whose sessions: issuer and client. Those of others can't be decrypted.
    pub(super) owner: String,
    /// Seconds from the login to the end, whatever is refreshed.
    pub(super) lifetime: u64,
    pub(super) scope_claim: Option<String>,
    /// The consumers, by the claim that names them.
    pub(super) consumers: Option<Claimed>,
    /// Bytes of decrypted sessions that each worker remembers.
    pub(super) memory: usize,
}

/// Encrypts, decrypts and remembers sessions.
pub(super) struct Sessions {
    settings: Settings,
    seal: Seal,
    opened: Local<Memory<[u8; 32], Rc<Session>>>,
}

/// Somebody who is logged in.
pub(super) struct Session {
    pub(super) identity: Rc<Identity>,
    pub(super) kept: Kept,
}

/// What is kept of a login, in the browser. Claims are those of the ID token.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Kept {
    #[serde(rename = "i")]
    pub(super) id_token: String,
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub(super) access_token: Option<String>,
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub(super) refresh_token: Option<String>,
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub(super) scope: Option<String>,
    /// When the tokens expire, in seconds since 1970.
    #[serde(rename = "e")]
    pub(super) expires: u64,
    /// When the login was.
    #[serde(rename = "b")]
    pub(super) begun: u64,
    /// What the log calls the session.
    #[serde(rename = "n")]
    pub(super) number: String,
}

/// What a request has of a session.
pub(super) enum Found {
    /// No cookie of the kind.
    Nothing,
    /// One that is over, forged, or of another key.
    Useless,
    /// A session.
    Session(Rc<Session>),
}

impl Sessions {
    /// Those with these settings.
    pub(super) fn shared(settings: Settings) -> Option<Arc<Self>> {
        let made: Result<_, ()> = LIVE.try_shared(
            settings,
            |sessions| &sessions.settings,
            |settings| {
                Ok(Self {
                    seal: Seal::new(&settings.secrets).ok_or(())?,
                    settings,
                    opened: Local::new(),
                })
            },
        );
        made.ok()
    }

    pub(super) const fn cookies(&self) -> &Cookies {
        &self.settings.cookies
    }

    /// The session of a request at a time, in seconds since 1970.
    pub(super) fn find(&self, headers: &HeaderMap, now: u64) -> Found {
        let Some(value) = self.settings.cookies.find(headers) else {
            return Found::Nothing;
        };
        let key = fingerprint(&value);
        let make = || Memory::new(self.settings.memory);
        let known = self
            .opened
            .with(make, |opened| opened.find(&key, now).map(Rc::clone));
        if let Some(session) = known {
            return Found::Session(session);
        }
        let Some(session) = self.open(&value).map(Rc::new) else {
            return Found::Useless;
        };
        let until = session.kept.begun.saturating_add(self.settings.lifetime);
        if now >= until {
            return Found::Useless;
        }
        let size = ENTRY + 2 * value.len();
        let remembered = Rc::clone(&session);
        self.opened
            .with(make, |opened| opened.remember(key, remembered, until, size));
        Found::Session(session)
    }

    fn open(&self, value: &str) -> Option<Session> {
        let plain = self.open_text(self.settings.cookies.session(), value)?;
        let kept: Kept = serde_json::from_slice(&plain).ok()?;
        self.session(kept)
    }

    /// Who a session is of. None if its ID token has no claims.
    pub(super) fn session(&self, kept: Kept) -> Option<Session> {
        let claims = claims(&kept.id_token)?;
        Some(Session {
            identity: Rc::new(self.identity(&kept, claims)),
            kept,
        })
    }

    fn identity(&self, kept: &Kept, claims: Claims) -> Identity {
        let claimed = self.settings.scope_claim.as_ref();
        let claimed = claimed.and_then(|name| claims.get(name));
        let scopes = match (claimed, &kept.scope) {
            (Some(Value::Array(all)), _) => {
                let texts = all.iter().filter_map(Value::as_str);
                texts.map(Box::from).collect()
            }
            (Some(Value::String(text)), _) | (None, Some(text)) => {
                text.split_ascii_whitespace().map(Box::from).collect()
            }
            _ => Vec::new(),
        };
        let consumer = self.settings.consumers.as_ref();
        let consumer = consumer.and_then(|all| all.consumer(&claims));
        Identity {
            method: "oidc",
            consumer,
            credential: Some(kept.number.as_str().into()),
            scopes,
            claims: claims.into_map(),
        }
    }

    /// Who is logged in, as of now.
    pub(super) fn who(&self, session: &Session) -> Rc<Identity> {
        let identity = Rc::clone(&session.identity);
        match &self.settings.consumers {
            Some(consumers) => consumers.current(identity),
            None => identity,
        }
    }

    /// Fields that hand a session to the browser. None if it is too large.
    pub(super) fn hand_over(&self, kept: &Kept, before: &HeaderMap) -> Option<Vec<HeaderValue>> {
        let cookies = &self.settings.cookies;
        let plain = serde_json::to_vec(kept).ok()?;
        let value = self.close_text(cookies.session(), plain)?;
        cookies.set_session(&value, before)
    }

    /// Encrypts what goes into a cookie of this name.
    pub(super) fn close_text(&self, cookie: &str, plain: Vec<u8>) -> Option<String> {
        self.seal.close(&self.context(cookie), plain)
    }

    /// Decrypts what came in a cookie of this name.
    pub(super) fn open_text(&self, cookie: &str, value: &str) -> Option<Vec<u8>> {
        self.seal.open(&self.context(cookie), value)
    }

    fn context(&self, cookie: &str) -> String {
        format!("{cookie}\n{}", self.settings.owner)
    }
}

impl Kept {
    /// Whether the tokens end within so many seconds.
    pub(super) const fn ends_within(&self, seconds: u64, now: u64) -> bool {
        now.saturating_add(seconds) >= self.expires
    }
}

/// The claims of a token that was believed before.
pub(super) fn claims(id_token: &str) -> Option<Claims> {
    Token::parse(id_token).ok()?.claims().ok()
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
