//! From what is written to what runs.

use std::sync::Arc;

use lintel_kernel::{Duration, Fault, Secret};

use super::{
    Oidc,
    config::Config,
    cookies::Cookies,
    id_token::Expected,
    login::{Terms, local},
    party::{Party, Paths},
    reject,
    session::{Sessions, Settings},
};
use crate::{
    Context, Issuer,
    challenge::unquotable,
    forward::Forward,
    issuer::{AlgorithmName, From as Asked, Source, Url},
    token_endpoint::{self, Client, TokenEndpoint, Written},
};

/// Parameters that belong to the protocol.
const RESERVED: [&str; 10] = [
    "client_id",
    "code_challenge",
    "code_challenge_method",
    "nonce",
    "redirect_uri",
    "request",
    "response_mode",
    "response_type",
    "scope",
    "state",
];
/// Characters of a secret for cookies: 256 bits in hexadecimal are 64, in base64 44, as bytes 32.
const MIN_KEY: usize = 32;

/// Mistakes, while there may be more to find.
struct Faults(Vec<Fault>);

impl Faults {
    /// What was built, unless there was a mistake.
    fn good<T>(&mut self, built: Result<T, Fault>) -> Option<T> {
        built.map_err(|fault| self.0.push(fault)).ok()
    }
}

/// The site, by its `redirect_uri`.
struct Site {
    origin: String,
    paths: Paths,
}

/// Endpoints that are written out.
#[derive(Default)]
struct Urls {
    authorization: Option<Url>,
    token: Option<Url>,
    end_session: Option<Url>,
    jwks: Option<Url>,
}

impl Config {
    pub(super) fn build(&self, context: &Context) -> Result<Oidc, Vec<Fault>> {
        let mut faults = Faults(Vec::new());
        let urls = faults.good(self.urls());
        let issuer = urls.as_ref().map(|urls| self.issuer(urls, context));
        let issuer = issuer.and_then(|issuer| faults.good(issuer));
        let client = faults.good(self.client());
        let site = faults.good(self.site());
        let sessions = faults.good(self.sessions(context));
        let terms = faults.good(self.terms());
        let forward = Forward::build(&self.forward, context);
        let forward = forward.map_err(|found| faults.0.extend(found)).ok();
        faults.good(self.times());
        faults.good(self.landing());
        let login = site.as_ref().map_or("", |site| &site.paths.login);
        let challenge = reject::challenge(&self.realm, login).ok_or_else(|| unquotable("realm"));
        let challenge = faults.good(challenge);
        let found = (
            urls, issuer, client, site, sessions, terms, forward, challenge,
        );
        let (
            Some(urls),
            Some(issuer),
            Some(client),
            Some(site),
            Some(sessions),
            Some(terms),
            Some(forward),
            Some(challenge),
        ) = found
        else {
            return Err(faults.0);
        };
        if !faults.0.is_empty() {
            return Err(faults.0);
        }
        Ok(Oidc(Box::new(Party {
            endpoint: self.endpoint(context, (&issuer, urls.token, client)),
            provider: self.provider.clone(),
            expected: Expected::new(&self.provider, &self.client_id, self.leeway.to_std()),
            issuer,
            sessions,
            terms,
            client_id: self.client_id.clone(),
            redirect_uri: self.redirect_uri.clone(),
            origin: site.origin,
            paths: site.paths,
            authorization: urls.authorization,
            end_session: urls.end_session,
            redirect: self.login.redirect,
            ahead: self.session.refresh_ahead.to_std().as_secs(),
            refreshes: self.session.refresh,
            hold_access: self.forward_access_token,
            logout_at_provider: self.logout.at_provider,
            after_logout: self.logout.to.clone(),
            forward,
            challenge,
            patience: self.fetch.patience(),
            revoked: Arc::clone(&context.revoked),
        })))
    }

    fn client(&self) -> Result<Client, Fault> {
        Client::build(Written {
            id: &self.client_id,
            secret: self.client_secret.as_ref(),
            key: self.client_key.as_ref(),
            by: self.client_authentication,
        })
    }

    fn endpoint(
        &self,
        context: &Context,
        (issuer, url, client): (&Arc<Issuer>, Option<Url>, Client),
    ) -> Arc<TokenEndpoint> {
        TokenEndpoint::shared(token_endpoint::Settings {
            issuer: Some(Arc::clone(issuer)),
            url,
            ca: self.fetch.ca(context),
            client,
            timeout: self.timeout.to_std(),
        })
    }

    fn urls(&self) -> Result<Urls, Fault> {
        let given = &self.endpoints;
        let read = |key: &'static str, text: &Option<String>| {
            let url = text.as_ref();
            url.map(|text| Url::parse(text, self.fetch.plaintext))
                .transpose()
                .map_err(|fault| fault.under(key).under("endpoints"))
        };
        let urls = Urls {
            authorization: read("authorization", &given.authorization)?,
            token: read("token", &given.token)?,
            end_session: read("end_session", &given.end_session)?,
            jwks: read("jwks", &given.jwks)?,
        };
        if urls.jwks.is_some() && (urls.authorization.is_none() || urls.token.is_none()) {
            let fault =
                Fault::new("with `jwks` nothing is discovered, so that endpoints are missing");
            return Err(fault
                .with_hint("add `authorization` and `token`, or remove `jwks`")
                .under("jwks")
                .under("endpoints"));
        }
        Ok(urls)
    }

    fn issuer(&self, urls: &Urls, context: &Context) -> Result<Arc<Issuer>, Fault> {
        let from = match &urls.jwks {
            Some(url) => Asked::Jwks(url.clone()),
            None => Asked::discovery(&self.provider, &self.provider, self.fetch.plaintext)
                .map_err(|fault| fault.under("provider"))?,
        };
        let mut algorithms: Vec<lintel_jose::Algorithm> =
            self.algorithms.iter().map(|name| (*name).into()).collect();
        if let Some(at) = algorithms.iter().position(|one| one.is_symmetric()) {
            return Err(Fault::new("what is published can't be a secret")
                .with_hint("register the client for RS256 or ES256")
                .under(at.to_string())
                .under("algorithms"));
        }
        if algorithms.is_empty() {
            algorithms = AlgorithmName::USUAL.to_vec();
        }
        let terms = self.fetch.terms(context);
        Ok(Issuer::of(Source {
            from,
            algorithms,
            terms: terms.map_err(|fault| fault.under("fetch"))?,
        }))
    }

    fn site(&self) -> Result<Site, Fault> {
        let wrong = |text: &str, hint: &str| {
            let fault = Fault::new(text).with_hint(hint);
            fault.under("redirect_uri")
        };
        let url = Url::parse(&self.redirect_uri, true);
        let url = url.map_err(|fault| fault.under("redirect_uri"))?;
        if !url.is_secure() && !self.session.insecure {
            return Err(wrong(
                "logins over plain http can be stolen on their way",
                "write `https:`; for development, `session: { insecure: true, cookie: session }`",
            ));
        }
        let callback = url.target().to_owned();
        if callback.contains('?') {
            return Err(wrong(
                "the provider adds its answer as the query",
                "write it without `?`",
            ));
        }
        let folder = callback.rsplit_once('/').map_or("", |(folder, _)| folder);
        let beside = |own: &Option<String>, name: &str| {
            own.clone().unwrap_or_else(|| format!("{folder}/{name}"))
        };
        let paths = Paths {
            login: beside(&self.login.path, "login"),
            logout: beside(&self.logout.path, "logout"),
            callback,
        };
        for (key, path) in [("login", &paths.login), ("logout", &paths.logout)] {
            if local(path).is_none() || path.contains('?') {
                let fault = Fault::new(format!("`{path}` is not a path"));
                let fault = fault.with_hint("write one such as `/oauth2/login`");
                return Err(fault.under("path").under(key));
            }
        }
        if paths.login == paths.logout || [&paths.login, &paths.logout].contains(&&paths.callback) {
            return Err(
                Fault::new("callback, login and logout need a path of their own each")
                    .with_hint("set `login.path` and `logout.path`, or another `redirect_uri`")
                    .under("redirect_uri"),
            );
        }
        Ok(Site {
            origin: url.origin(),
            paths,
        })
    }

    fn sessions(&self, context: &Context) -> Result<Arc<Sessions>, Fault> {
        let session = &self.session;
        let name = &session.cookie;
        let wrong = |text: String, hint: &str| {
            let fault = Fault::new(text).with_hint(hint);
            Err(fault.under("cookie").under("session"))
        };
        let usual = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if name.is_empty() || name.len() > 64 || !name.bytes().all(usual) {
            return wrong(
                format!("`{name}` is not a name for a cookie"),
                "use up to 64 letters, digits, `-` and `_`",
            );
        }
        if session.insecure && (name.starts_with("__Host-") || name.starts_with("__Secure-")) {
            return wrong(
                format!("browsers take `{name}` over TLS alone"),
                "name it `session` while `insecure` is set",
            );
        }
        if self.cookie_keys.is_empty() {
            let fault = Fault::new("there is no secret to encrypt cookies with");
            let hint = "make one with `openssl rand -base64 32`, and write `cookie_keys: [${file.cookies.key}]`";
            return Err(fault.with_hint(hint).under("cookie_keys"));
        }
        let short = |key: &Secret| key.expose().trim().len() < MIN_KEY;
        if let Some(at) = self.cookie_keys.iter().position(short) {
            let fault = Fault::new(format!("the secret has fewer than {MIN_KEY} characters"));
            let hint = "make one with `openssl rand -base64 32`";
            return Err(fault
                .discreet()
                .with_hint(hint)
                .under(at.to_string())
                .under("cookie_keys"));
        }
        let sessions = Sessions::shared(Settings {
            cookies: Cookies::new(name.clone(), !session.insecure),
            secrets: self.cookie_keys.clone(),
            owner: format!("{}\n{}", self.provider, self.client_id),
            lifetime: session.lifetime.to_std().as_secs(),
            scope_claim: self.scope_claim.clone(),
            consumers: context.claimed(self.consumer_claim.as_ref()),
            memory: self.cache.as_usize(),
        });
        sessions.ok_or_else(|| Fault::new("no key can be made of this").under("cookie_keys"))
    }

    fn terms(&self) -> Result<Terms, Fault> {
        if let Some(name) = self
            .parameters
            .keys()
            .find(|name| RESERVED.contains(&&***name))
        {
            let fault = Fault::new(format!("`{name}` is set by the gateway"));
            let fault = fault.with_hint("remove it");
            return Err(fault.under(name).under("parameters"));
        }
        let mut scopes = vec!["openid"];
        for (at, scope) in self.scopes.iter().enumerate() {
            if scope.is_empty() || scope.contains(|c: char| c.is_whitespace() || c.is_control()) {
                let fault = Fault::new(format!("`{scope}` is not a scope"));
                let fault = fault.with_hint("write each by itself: `[openid, profile]`");
                return Err(fault.under(at.to_string()).under("scopes"));
            }
            if !scopes.contains(&&**scope) {
                scopes.push(scope);
            }
        }
        let own = [
            ("response_type", "code".to_owned()),
            ("client_id", self.client_id.clone()),
            ("redirect_uri", self.redirect_uri.clone()),
            ("scope", scopes.join(" ")),
        ];
        let own = own.map(|(name, value)| (name.to_owned(), value));
        let more = self.parameters.iter();
        let more = more.map(|(name, value)| (name.clone(), value.clone()));
        Ok(Terms {
            parameters: own.into_iter().chain(more).collect(),
            timeout: self.login.timeout.to_std().as_secs(),
        })
    }

    fn times(&self) -> Result<(), Fault> {
        let zero = |time: Duration| time.to_std().as_secs() == 0;
        if self.timeout.to_std().is_zero() {
            let fault = Fault::new("`timeout` can't be zero");
            return Err(fault
                .with_hint("write a time such as `5s`")
                .under("timeout"));
        }
        for (key, under, time) in [
            ("lifetime", "session", self.session.lifetime),
            ("timeout", "login", self.login.timeout),
        ] {
            if zero(time) {
                let fault = Fault::new(format!("`{key}` is shorter than a second"));
                let fault = fault.with_hint("write a time such as `10m`");
                return Err(fault.under(key).under(under));
            }
        }
        Ok(())
    }

    fn landing(&self) -> Result<(), Fault> {
        if local(&self.logout.to).is_some() {
            return Ok(());
        }
        let fault = Fault::new(format!("`{}` is no path of the site", self.logout.to));
        let fault = fault.with_hint("write a path such as `/goodbye`");
        Err(fault.under("to").under("logout"))
    }
}
