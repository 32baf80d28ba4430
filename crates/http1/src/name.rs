//! Header names: recognised once, remembered per thread.

use std::cell::Cell;

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
    key: Key,
    raw: [u8; RAW_MAX],
    class: Class,
    name: HeaderName,
}

/// The first and last eight bytes and the length: for names of up to 16 bytes, all of it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Key {
    head: u64,
    tail: u64,
    len: usize,
}

thread_local! {
    static MEMORY: Cell<Vec<Option<Slot>>> = Cell::new((0..SLOTS).map(|_| None).collect());
}

/// The memory of one thread, taken for the length of one head.
///
/// A name that was seen before in the same spelling costs a hash and a compare of 16 bytes instead of a walk over a table, and a
/// non-standard one no allocation. The memory is direct-mapped: a peer that sends ever new names makes it useless, not larger.
pub(crate) struct Names(Vec<Option<Slot>>);

impl Names {
    pub(crate) fn take() -> Self {
        // Without the memory, at the end of a thread, every name is parsed.
        Self(MEMORY.try_with(Cell::take).unwrap_or_default())
    }

    /// The name for bytes that are a `token` (RFC 9110 §5.6.2) of at most 64 KiB; `None` for anything else.
    #[inline]
    pub(crate) fn resolve(&mut self, raw: &[u8]) -> Option<(HeaderName, Class)> {
        let key = Key::of(raw);
        let Some(slot) = self.0.get_mut(key.slot()).filter(|_| raw.len() <= RAW_MAX) else {
            return parse(raw);
        };
        match slot {
            Some(known) if known.key == key && (raw.len() <= 16 || known.raw.starts_with(raw)) => {
                Some((known.name.clone(), known.class))
            }
            _ => remember(slot, key, raw),
        }
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        let memory = std::mem::take(&mut self.0);
        let _thread_is_ending = MEMORY.try_with(|slot| slot.set(memory));
    }
}

#[cold]
fn remember(slot: &mut Option<Slot>, key: Key, name: &[u8]) -> Option<(HeaderName, Class)> {
    let (parsed, class) = parse(name)?;
    let mut raw = [0; RAW_MAX];
    raw.get_mut(..name.len())?.copy_from_slice(name);
    *slot = Some(Slot {
        key,
        raw,
        class,
        name: parsed.clone(),
    });
    Some((parsed, class))
}

fn parse(raw: &[u8]) -> Option<(HeaderName, Class)> {
    let name = HeaderName::from_bytes(raw).ok()?;
    let class = Class::of(&name);
    Some((name, class))
}

impl Key {
    #[inline]
    fn of(raw: &[u8]) -> Self {
        let (head, tail) = match (raw.first_chunk::<8>(), raw.last_chunk::<8>()) {
            (Some(head), Some(tail)) => (u64::from_le_bytes(*head), u64::from_le_bytes(*tail)),
            _ => (
                raw.iter()
                    .fold(0, |sum, byte| (sum << 8) | u64::from(*byte)),
                0,
            ),
        };
        Self {
            head,
            tail,
            len: raw.len(),
        }
    }

    #[inline]
    fn slot(self) -> usize {
        let mixed = (self.head ^ self.tail.rotate_left(23) ^ self.len as u64)
            .wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (mixed >> 48) as usize % SLOTS
    }
}
