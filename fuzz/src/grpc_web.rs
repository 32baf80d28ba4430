//! Any bytes as a body of gRPC-Web, cut anywhere: how they are cut changes nothing.

use bytes::Bytes;
use lintel_grpc::{
    frame::{Encoding, Messages},
    web::Text,
};

pub(crate) fn run(input: &[u8]) {
    let Some((&cut, body)) = input.split_first() else {
        return;
    };
    let cut = usize::from(cut).max(1);
    let (whole, parts) = (decoded(body, body.len().max(1)), decoded(body, cut));
    match (&whole, &parts) {
        (Some(whole), Some(parts)) => assert_eq!(whole, parts),
        (None, None) => {}
        _ => panic!("{whole:?} in one, {parts:?} by {cut}"),
    }
    for encoding in [Encoding::Identity, Encoding::Gzip] {
        for body in [Some(body.to_vec()), whole.clone()].into_iter().flatten() {
            let (one, many) = (
                messages(&body, body.len().max(1), encoding),
                messages(&body, cut, encoding),
            );
            assert_eq!(one, many);
        }
    }
}

/// A text without its base64.
fn decoded(body: &[u8], cut: usize) -> Option<Vec<u8>> {
    let (mut text, mut out) = (Text::default(), Vec::new());
    for piece in body.chunks(cut) {
        out.extend(text.push(piece).ok()?);
    }
    text.end().ok()?;
    Some(out)
}

/// The messages of a body, and whether it ends as it should.
fn messages(body: &[u8], cut: usize, encoding: Encoding) -> (Vec<Bytes>, bool) {
    let (mut reader, mut all) = (Messages::new(encoding, 1 << 16), Vec::new());
    for piece in body.chunks(cut) {
        reader.push(&Bytes::copy_from_slice(piece));
        loop {
            match reader.take() {
                Ok(Some(message)) => {
                    assert!(message.len() <= 1 << 16);
                    all.push(message);
                }
                Ok(None) => break,
                Err(_) => return (all, false),
            }
        }
    }
    (all, reader.end().is_ok())
}
