//! Who speaks what.

use std::num::NonZeroU8;

use http::{HeaderMap, HeaderValue, header};
use lintel_http::media;
use lintel_kernel::Exchange;
use lintel_xml::soap::Version;

use super::XmlJson;

/// What a body is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Xml,
    Json,
}

impl Language {
    /// The language of a media type (RFC 6839, RFC 7303).
    pub(super) fn of(value: &HeaderValue) -> Option<Self> {
        Self::named(&media::essence(value)?)
    }

    fn named(essence: &str) -> Option<Self> {
        match essence {
            "application/json" => Some(Self::Json),
            "application/xml" | "text/xml" => Some(Self::Xml),
            other if other.ends_with("+json") => Some(Self::Json),
            other if other.ends_with("+xml") => Some(Self::Xml),
            _ => None,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Xml => "XML",
            Self::Json => "JSON",
        }
    }
}

/// What is to become of the answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    /// Whether the client gets the answer in another language than the service's.
    pub(super) translates: bool,
    /// The version of SOAP that the client speaks.
    pub(super) envelope: Option<Version>,
}

/// Noted of every request.
const SEEN: u8 = 1;
const TRANSLATES: u8 = 2;
const V1_1: u8 = 4;
const V1_2: u8 = 8;

impl Terms {
    pub(super) fn note(self, exchange: &mut Exchange) {
        let mut noted = SEEN;
        if self.translates {
            noted |= TRANSLATES;
        }
        noted |= match self.envelope {
            None => 0,
            Some(Version::V1_1) => V1_1,
            Some(Version::V1_2) => V1_2,
        };
        exchange.detour.translates = NonZeroU8::new(noted);
    }

    pub(super) fn noted(exchange: &Exchange) -> Self {
        let noted = exchange.detour.translates.map_or(0, NonZeroU8::get);
        let has = |flag| noted & flag != 0;
        Self {
            translates: has(TRANSLATES),
            envelope: match (has(V1_1), has(V1_2)) {
                (true, _) => Some(Version::V1_1),
                (_, true) => Some(Version::V1_2),
                (false, false) => None,
            },
        }
    }
}

impl XmlJson {
    /// Whether requests without a body become calls as well.
    pub(super) fn calls(&self) -> bool {
        self.service == Language::Xml && self.soap.is_some()
    }

    /// What the client is to get: what it accepts most gladly (RFC 9110 §12.5.1), and of two that are as
    /// welcome, the language of its request, or that of the clients.
    pub(super) fn terms(&self, headers: &HeaderMap, empty: bool) -> Terms {
        let media = headers.get(header::CONTENT_TYPE).filter(|_| !empty);
        let spoken = media.and_then(Language::of);
        let clients = match self.service {
            Language::Xml => Language::Json,
            Language::Json => Language::Xml,
        };
        let first = spoken.unwrap_or(clients);
        let (mut xml, mut json): (Option<f32>, Option<f32>) = (None, None);
        let mut any: f32 = 0.0;
        for (range, weight) in media::accepted(headers) {
            let best = match Language::named(&range) {
                Some(Language::Xml) => &mut xml,
                Some(Language::Json) => &mut json,
                None if matches!(range.as_str(), "*/*" | "application/*") => {
                    any = any.max(weight);
                    continue;
                }
                None => continue,
            };
            *best = Some(best.map_or(weight, |best| best.max(weight)));
        }
        let (xml, json) = (xml.unwrap_or(any), json.unwrap_or(any));
        let wanted = match (xml > json, json > xml) {
            (true, _) => Language::Xml,
            (_, true) => Language::Json,
            (false, false) => first,
        };
        let own = self.service == Language::Json && self.soap.is_some();
        let envelope = media.filter(|_| own).and_then(|media| {
            let essence = media::essence(media)?;
            let mut versions = [Version::V1_2, Version::V1_1].into_iter();
            versions.find(|version| version.media_type() == essence)
        });
        Terms {
            translates: self.response.is_some() && wanted != self.service,
            envelope,
        }
    }
}
