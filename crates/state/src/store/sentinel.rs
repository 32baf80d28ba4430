//! The master that Sentinels watch over.

use redis::{aio::MultiplexedConnection, cmd};
use tokio::task::JoinSet;

use super::{
    Address,
    dial::{Dialer, Failure, query},
};

/// A connection to the master as the Sentinels know it. All of them are asked at once; the first that
/// names a server which takes itself for a master is believed
/// (<https://redis.io/docs/latest/develop/reference/sentinel-clients/>).
pub(super) async fn dial(
    sentinels: Vec<Address>,
    master: String,
    to_sentinels: Dialer,
    to_master: Dialer,
) -> Result<MultiplexedConnection, Failure> {
    let mut asking = JoinSet::new();
    for sentinel in sentinels {
        let (master, to_sentinels, to_master) =
            (master.clone(), to_sentinels.clone(), to_master.clone());
        asking.spawn(async move {
            let address = ask(&sentinel, &master, &to_sentinels).await?;
            let mut connection = to_master.dial(&address).await?;
            let role: Vec<redis::Value> = query(&mut connection, &cmd("ROLE")).await?;
            match role.first() {
                Some(redis::Value::BulkString(word)) if word == b"master" => Ok(connection),
                _ => Err(Failure::of(&format!(
                    "{address}, which {sentinel} takes for the master, is none"
                ))),
            }
        });
    }
    let mut last = Failure::of("there is no sentinel");
    while let Some(asked) = asking.join_next().await {
        match asked {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(failure)) => last = failure,
            Err(_) => {}
        }
    }
    Err(last)
}

async fn ask(sentinel: &Address, master: &str, dialer: &Dialer) -> Result<Address, Failure> {
    let mut connection = dialer.dial(sentinel).await?;
    let mut command = cmd("SENTINEL");
    command.arg("GET-MASTER-ADDR-BY-NAME").arg(master);
    let found: Option<(String, u16)> = query(&mut connection, &command).await?;
    match found {
        Some((host, port)) => Ok(Address::Tcp(host, port)),
        None => Err(Failure::of(&format!(
            "{sentinel} knows no master `{master}`"
        ))),
    }
}
