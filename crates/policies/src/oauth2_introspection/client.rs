//! How the gateway identifies itself to an introspection endpoint (RFC 6749 §2.3.1).

use http::{HeaderMap, HeaderValue, header};
use lintel_kernel::Secret;

use crate::form::{basic, escaped};

/// The gateway's own credentials.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Client {
    pub(super) id: String,
    pub(super) secret: Secret,
    /// Whether they stand in the body, and not in `Authorization`.
    pub(super) in_body: bool,
}

impl Client {
    pub(super) fn identify(&self, headers: &mut HeaderMap, form: &mut String) {
        if self.in_body {
            let (id, secret) = (escaped(&self.id), escaped(self.secret.expose()));
            form.push_str(&format!("&client_id={id}&client_secret={secret}"));
            return;
        }
        // Base64 is a valid field value.
        if let Ok(mut value) = HeaderValue::from_str(&basic(&self.id, &self.secret)) {
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]

    use super::*;

    #[test]
    fn credentials_are_escaped_before_they_are_encoded() {
        let mut client = Client {
            id: "the gateway".to_owned(),
            secret: Secret::new("a:b&c=ü"),
            in_body: false,
        };
        let (mut headers, mut form) = (HeaderMap::new(), String::new());
        client.identify(&mut headers, &mut form);
        // printf 'the%%20gateway:a%%3Ab%%26c%%3D%%C3%%BC' | base64
        let expected = "Basic dGhlJTIwZ2F0ZXdheTphJTNBYiUyNmMlM0QlQzMlQkM=";
        assert_eq!(headers["authorization"], expected);
        assert!(headers["authorization"].is_sensitive() && form.is_empty());
        client.in_body = true;
        client.identify(&mut headers, &mut form);
        assert_eq!(
            form,
            "&client_id=the%20gateway&client_secret=a%3Ab%26c%3D%C3%BC"
        );
    }
}
