//! Header names: recognised once, remembered per thread.

use std::cell::RefCell;

use http::HeaderName;

/// What the codec has to do with a field, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// End-to-end: goes to the handler as it is.
    Plain,
    Host,
    ContentLength,
    TransferEncoding,
    Connection,
    Te,
    Upgrade,
    Expect,
    Trailer,
    KeepAlive,
    /// Hop-by-hop and without meaning to the codec (`Proxy-Connection`).
    Dropped,
}

impl Class {
    fn of(name: &HeaderName) -> Self {
        match name.as_str() {
            "host" => Self::Host,
            "content-length" => Self::ContentLength,
            "transfer-encoding" => Self::TransferEncoding,
            "connection" => Self::Connection,
            "te" => Self::Te,
            "upgrade" => Self::Upgrade,
            "expect" => Self::Expect,
            "trailer" => Self::Trailer,
            "keep-alive" => Self::KeepAlive,
            "proxy-connection" => Self::Dropped,
            _ => Self::Plain,
        }
    }
}

/// Longest name that is remembered.
const RAW_MAX: usize = 32;
/// Slots of the memory; a power of two. One thread's memory is 24 KiB.
const SLOTS: usize = 256;

struct Slot {
    raw: [u8; RAW_MAX],
    len: usize,
    class: Class,
    name: HeaderName,
}

thread_local! {
    static MEMORY: RefCell<Vec<Option<Slot>>> = RefCell::new((0..SLOTS).map(|_| None).collect());
}

/// The name for bytes that are a `token` (RFC 9110 §5.6.2) of at most 64 KiB; `None` for anything else.
///
/// A name that was seen before in the same spelling costs a hash of 16 bytes and a compare instead of a walk over a table, and a
/// non-standard one no allocation. The memory is direct-mapped: a peer that sends ever new names makes it useless, not larger.
pub(crate) fn resolve(raw: &[u8]) -> Option<(HeaderName, Class)> {
    if raw.len() > RAW_MAX {
        return parse(raw);
    }
    MEMORY
        .try_with(|memory| {
            let mut memory = memory.try_borrow_mut().ok()?;
            let slot = memory.get_mut(slot_of(raw))?;
            match slot {
                Some(known) if known.raw.get(..known.len) == Some(raw) => {
                    Some((known.name.clone(), known.class))
                }
                _ => remember(slot, raw),
            }
        })
        .unwrap_or_else(|_| parse(raw))
}

fn remember(slot: &mut Option<Slot>, raw: &[u8]) -> Option<(HeaderName, Class)> {
    let (name, class) = parse(raw)?;
    let mut copy = [0; RAW_MAX];
    copy.get_mut(..raw.len())?.copy_from_slice(raw);
    *slot = Some(Slot {
        raw: copy,
        len: raw.len(),
        class,
        name: name.clone(),
    });
    Some((name, class))
}

fn parse(raw: &[u8]) -> Option<(HeaderName, Class)> {
    let name = HeaderName::from_bytes(raw).ok()?;
    let class = Class::of(&name);
    Some((name, class))
}

/// Mixes the length with the first and last eight bytes, which is where header names differ.
fn slot_of(raw: &[u8]) -> usize {
    let (head, tail) = match (raw.first_chunk::<8>(), raw.last_chunk::<8>()) {
        (Some(head), Some(tail)) => (u64::from_le_bytes(*head), u64::from_le_bytes(*tail)),
        _ => (
            raw.iter()
                .fold(0, |sum, byte| (sum << 8) | u64::from(*byte)),
            0,
        ),
    };
    let mixed =
        (head ^ tail.rotate_left(23) ^ raw.len() as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 48) as usize % SLOTS
}
