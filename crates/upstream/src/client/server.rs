//! Servers, and connections to them.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use lintel_tls::{Alpn, ClientSettings, Connector, Socket, Stream};
use socket2::{SockRef, TcpKeepalive};
use tokio::{net::TcpStream, time};

use super::connection::Connection;
use crate::{
    resolver::{Lookup as _, SystemLookup},
    service::Addresses,
};

/// Until a connection stands, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A peer that is gone without a word is noticed after about a minute, on a connection that waits
/// for news for hours.
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_PROBES: u32 = 3;

/// Where an API is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// A name or an address.
    pub host: Arc<str>,
    /// TCP port.
    pub port: u16,
    /// How TLS is done; none for plaintext.
    pub tls: Option<ClientSettings>,
}

impl Server {
    /// Opens a connection. Certificate files are read anew, so that replaced ones are used.
    ///
    /// # Errors
    ///
    /// Why there is none, with the address.
    pub async fn connect(&self) -> Result<Connection, String> {
        match time::timeout(CONNECT_TIMEOUT, self.open()).await {
            Ok(opened) => opened.map_err(|error| format!("{self}: {error}")),
            Err(_) => Err(format!(
                "{self}: no connection within {} s",
                CONNECT_TIMEOUT.as_secs()
            )),
        }
    }

    async fn open(&self) -> Result<Connection, String> {
        let socket = self.dial().await?;
        let keepalive = TcpKeepalive::new()
            .with_time(KEEPALIVE)
            .with_interval(KEEPALIVE / 3)
            .with_retries(KEEPALIVE_PROBES);
        // Without it a dead peer is noticed later, by the time limits.
        let _ = SockRef::from(&socket).set_tcp_keepalive(&keepalive);
        let stream = match &self.tls {
            None => Stream::Plain(Socket::Tcp(socket)),
            Some(settings) => self.handshake(settings.clone(), socket).await?,
        };
        Connection::over(stream, &self.authority()).await
    }

    async fn handshake(
        &self,
        settings: ClientSettings,
        socket: TcpStream,
    ) -> Result<Stream, String> {
        let settings = ClientSettings {
            alpn: vec![Alpn::Http1],
            ..settings
        };
        let built = tokio::task::spawn_blocking(move || Connector::build(&settings)).await;
        let connector = built
            .map_err(|_| "TLS can't be set up".to_owned())?
            .map_err(|errors| {
                let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
                texts.join("; ")
            })?;
        connector
            .connect(&self.host, Socket::Tcp(socket))
            .await
            .map_err(|error| format!("TLS: {error}"))
    }

    async fn dial(&self) -> Result<TcpStream, String> {
        let mut last = "the name has no address".to_owned();
        for address in self.addresses().await? {
            match TcpStream::connect(SocketAddr::new(address, self.port)).await {
                Ok(socket) => return Ok(socket),
                Err(error) => last = error.to_string(),
            }
        }
        Err(last)
    }

    async fn addresses(&self) -> Result<Vec<IpAddr>, String> {
        if let Ok(address) = self.host.parse() {
            return Ok(vec![address]);
        }
        if self.host.eq_ignore_ascii_case("localhost") {
            return Ok(vec![[127, 0, 0, 1].into(), Ipv6Addr::LOCALHOST.into()]);
        }
        let lookup = SystemLookup::shared(&Arc::default());
        Ok(lookup.lookup(&self.host, Addresses::Auto).await?.addresses)
    }

    fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority())
    }
}
