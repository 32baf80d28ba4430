//! A gRPC server for unary calls, as light as it can be; the origin answers each with its own message.

use std::net::TcpListener;

use anyhow::Result;
use bytes::{Bytes, BytesMut};
use h2::RecvStream;
use h2::server::{Builder, SendResponse};
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::net::TcpStream;
use tokio::task::{LocalSet, spawn_local};

/// Runs a server on this thread until it fails.
pub(super) fn run(server: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, server)
}

/// Answers every call with its own message, until the listener fails.
pub(super) fn echo(listener: TcpListener) -> Result<()> {
    run(serve(listener, async |message| Ok(message)))
}

/// Answers every call with what `service` makes of its message, prefix of five bytes included, and `grpc-status: 0`;
/// until the listener fails.
pub(super) async fn serve<S>(listener: TcpListener, service: S) -> Result<()>
where
    S: AsyncFn(Bytes) -> Result<Bytes> + Clone + 'static,
{
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        spawn_local(connection(stream, service.clone()));
    }
}

/// A connection's errors are its client's to see and to count.
async fn connection<S>(stream: TcpStream, service: S) -> Result<()>
where
    S: AsyncFn(Bytes) -> Result<Bytes> + Clone + 'static,
{
    let mut connection = Builder::new()
        .initial_window_size(1 << 20)
        .initial_connection_window_size(16 << 20)
        .max_concurrent_streams(1_000)
        .handshake::<_, Bytes>(stream)
        .await?;
    while let Some(request) = connection.accept().await {
        let (request, respond) = request?;
        spawn_local(answer(request, respond, service.clone()));
    }
    Ok(())
}

async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    service: impl AsyncFn(Bytes) -> Result<Bytes>,
) -> Result<()> {
    let mut body = request.into_body();
    let mut message = BytesMut::new();
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        message.extend_from_slice(&data);
    }
    let answer = service(message.freeze()).await?;
    let mut response = Response::new(());
    response
        .headers_mut()
        .insert("content-type", HeaderValue::from_static("application/grpc"));
    let mut stream = respond.send_response(response, false)?;
    stream.send_data(answer, false)?;
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    stream.send_trailers(trailers)?;
    Ok(())
}
