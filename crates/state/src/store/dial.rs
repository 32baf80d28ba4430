//! Connections to servers.

use std::{sync::Arc, time::Duration};

use lintel_tls::{Connector, Socket, Stream};
use redis::{
    AsyncConnectionConfig, Cmd, FromRedisValue, RedisConnectionInfo, RedisError, Value,
    aio::MultiplexedConnection,
};
use tokio::{
    net::{TcpStream, UnixStream},
    time::timeout,
};

use super::Address;

/// How long a connection may take to be made; nobody waits for it longer than for an answer.
pub(super) const CONNECT: Duration = Duration::from_secs(2);

/// Who the gateway is to a server.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Login {
    /// The user of an ACL; without it, the default one.
    pub username: Option<String>,
    /// The password.
    pub password: Option<String>,
    /// The number of the database.
    pub database: u16,
}

/// Makes connections.
#[derive(Clone)]
pub(super) struct Dialer {
    pub(super) tls: Option<Arc<Connector>>,
    pub(super) login: Login,
}

/// Why there is no answer.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    /// For the log.
    pub(super) text: Arc<str>,
    /// Whether the connection is of no more use.
    pub(super) broken: bool,
}

impl Dialer {
    /// A connection on which questions are pipelined, within [`CONNECT`].
    pub(super) async fn dial(&self, address: &Address) -> Result<MultiplexedConnection, Failure> {
        match timeout(CONNECT, self.connect(address)).await {
            Ok(connected) => connected.map_err(|failure| Failure {
                text: format!("{address}: {}", failure.text).into(),
                ..failure
            }),
            Err(_elapsed) => Err(Failure::broken(format!(
                "{address} can't be connected to within {CONNECT:?}"
            ))),
        }
    }

    async fn connect(&self, address: &Address) -> Result<MultiplexedConnection, Failure> {
        let io = |error: std::io::Error| Failure::broken(error.to_string());
        let (socket, host) = match address {
            Address::Tcp(host, port) => {
                let socket = TcpStream::connect((&**host, *port)).await.map_err(io)?;
                (Socket::from(socket), &**host)
            }
            Address::Unix(path) => {
                let socket = UnixStream::connect(path).await.map_err(io)?;
                (Socket::from(socket), "localhost")
            }
        };
        socket.set_nodelay(true).map_err(io)?;
        let stream = match &self.tls {
            None => Stream::Plain(socket),
            Some(connector) => {
                let stream = connector.connect(host, socket).await;
                stream.map_err(|error| Failure::broken(error.to_string()))?
            }
        };
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let (connection, driver) =
            MultiplexedConnection::new_with_config(&self.login.settings(), stream, config).await?;
        // Ends with the last handle on the connection.
        tokio::spawn(driver);
        Ok(connection)
    }
}

impl Login {
    fn settings(&self) -> RedisConnectionInfo {
        let mut settings = RedisConnectionInfo::default().set_db(self.database.into());
        if let Some(username) = &self.username {
            settings = settings.set_username(username);
        }
        if let Some(password) = &self.password {
            settings = settings.set_password(password);
        }
        settings
    }
}

/// Asks something on a connection.
pub(super) async fn query<T: FromRedisValue>(
    connection: &mut MultiplexedConnection,
    command: &Cmd,
) -> Result<T, RedisError> {
    let value: Value = connection.send_packed_command(command).await?;
    Ok(T::from_redis_value(value.extract_error()?)?)
}

impl Failure {
    pub(super) fn broken(text: String) -> Self {
        Self {
            text: text.into(),
            broken: true,
        }
    }

    pub(super) fn of(text: &str) -> Self {
        Self {
            text: text.into(),
            broken: false,
        }
    }
}

impl From<RedisError> for Failure {
    fn from(error: RedisError) -> Self {
        let role = matches!(error.code(), Some("READONLY" | "MASTERDOWN" | "LOADING"));
        Self {
            broken: role || error.is_io_error() || error.is_connection_dropped(),
            text: error.to_string().into(),
        }
    }
}
