//! Cookies: how they are called, written, found and taken away.

use http::{HeaderMap, HeaderValue, header};
use lintel_kernel::expr::cookie;

/// Bytes of a value. Browsers keep 4096 of name, value and attributes together (RFC 6265 §6.1).
const MAX_VALUE: usize = 3800;
/// Cookies that one value may fill. More than about 16 KiB of cookies is what servers refuse.
const MAX_PARTS: usize = 4;
/// Logins that a browser may have begun at once; with more the old ones are forgotten.
pub(super) const MAX_LOGINS: usize = 6;

/// The names and attributes of the cookies of one policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cookies {
    name: String,
    secure: bool,
}

impl Cookies {
    pub(super) const fn new(name: String, secure: bool) -> Self {
        Self { name, secure }
    }

    /// The name of the session's first cookie; those that follow have a number behind it.
    pub(super) fn session(&self) -> &str {
        &self.name
    }

    /// The name of the cookie of one login, which `mark` tells from others.
    pub(super) fn login(&self, mark: &str) -> String {
        format!("{}-login-{mark}", self.name)
    }

    fn part(&self, number: usize) -> String {
        match number {
            0 => self.name.clone(),
            number => format!("{}-{number}", self.name),
        }
    }

    /// The session's value, put together from its parts.
    pub(super) fn find(&self, headers: &HeaderMap) -> Option<String> {
        let first = cookie(headers, &self.name).filter(|value| !value.is_empty())?;
        let Some((count, beginning)) = first.split_once('.') else {
            return Some(first.to_owned());
        };
        // What does not fit together can't be decrypted either.
        let count: usize = count.parse().unwrap_or(1);
        let mut value = beginning.to_owned();
        for number in 1..count.min(MAX_PARTS) {
            value.push_str(cookie(headers, &self.part(number)).unwrap_or_default());
        }
        Some(value)
    }

    /// Fields that set the session; also those that remove what is left of a longer one before.
    /// None if it is too large for cookies.
    pub(super) fn set_session(&self, value: &str, before: &HeaderMap) -> Option<Vec<HeaderValue>> {
        let parts: Vec<&[u8]> = value.as_bytes().chunks(MAX_VALUE).collect();
        if parts.len() > MAX_PARTS {
            return None;
        }
        let mut fields = Vec::with_capacity(parts.len());
        for (number, part) in parts.iter().enumerate() {
            let mut text = str::from_utf8(part).ok()?.to_owned();
            if number == 0 && parts.len() > 1 {
                text = format!("{}.{text}", parts.len());
            }
            fields.push(self.field(&self.part(number), &text, None)?);
        }
        let surplus = (parts.len()..MAX_PARTS).map(|number| self.part(number));
        let surplus = surplus.filter(|name| cookie(before, name).is_some());
        fields.extend(surplus.filter_map(|name| self.gone(&name)));
        Some(fields)
    }

    /// A field that sets a cookie of a login for so many seconds.
    pub(super) fn set_login(&self, name: &str, value: &str, seconds: u64) -> Option<HeaderValue> {
        if value.len() > MAX_VALUE {
            return None;
        }
        self.field(name, value, Some(seconds))
    }

    /// Fields that remove the session, as far as the request has it.
    pub(super) fn clear_session(&self, headers: &HeaderMap) -> Vec<HeaderValue> {
        let names = (0..MAX_PARTS).map(|number| self.part(number));
        let had = names.filter(|name| cookie(headers, name).is_some());
        had.filter_map(|name| self.gone(&name)).collect()
    }

    /// A field that removes a cookie.
    pub(super) fn gone(&self, name: &str) -> Option<HeaderValue> {
        self.field(name, "", Some(0))
    }

    /// Names of the cookies of logins that the request has.
    pub(super) fn logins(&self, headers: &HeaderMap) -> Vec<String> {
        let prefix = self.login("");
        names(headers)
            .filter(|name| name.starts_with(&prefix))
            .map(str::to_owned)
            .collect()
    }

    /// Whether a cookie is one of these.
    pub(super) fn own(&self, name: &str) -> bool {
        name.strip_prefix(&*self.name).is_some_and(|rest| {
            let number = rest.strip_prefix('-').unwrap_or("x");
            rest.is_empty() || number.parse::<usize>().is_ok() || rest.starts_with("-login-")
        })
    }

    /// RFC 6265bis: not for scripts, and not for requests that other sites send, but for links.
    fn field(&self, name: &str, value: &str, max_age: Option<u64>) -> Option<HeaderValue> {
        let mut text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax");
        if self.secure {
            text.push_str("; Secure");
        }
        if let Some(seconds) = max_age {
            text.push_str(&format!("; Max-Age={seconds}"));
        }
        HeaderValue::try_from(text).ok()
    }
}

fn names(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let fields = headers.get_all(header::COOKIE).iter();
    let texts = fields.filter_map(|field| field.to_str().ok());
    let pairs = texts.flat_map(|text| text.split(';'));
    pairs.filter_map(|pair| Some(pair.split_once('=')?.0.trim()))
}
