//! Which node of a cluster has which keys.

use redis::Value;

use super::Address;

/// Slots of a cluster.
pub(super) const SLOTS: u16 = 16_384;

/// The masters by slot, as far as known.
#[derive(Clone, Debug, Default)]
pub(super) struct Slots {
    nodes: Vec<Address>,
    /// For each slot the place of its master, counted from 1; 0 where it is not known.
    places: Vec<u16>,
}

/// The slot of a key: CRC-16 (XMODEM) of it, or of the first part in braces where that is not empty
/// (Redis cluster specification, "hash tags").
pub(super) fn slot(key: &str) -> u16 {
    let tag = key
        .split_once('{')
        .and_then(|(_, rest)| rest.split_once('}'))
        .map_or(key, |(tag, _)| if tag.is_empty() { key } else { tag });
    let crc = tag.bytes().fold(0_u16, |crc, byte| {
        (0..8).fold(crc ^ u16::from(byte) << 8, |crc, _| {
            if crc & 0x8000 == 0 {
                crc << 1
            } else {
                crc << 1 ^ 0x1021
            }
        })
    });
    crc % SLOTS
}

impl Slots {
    /// Reads the answer to `CLUSTER SLOTS`, which `asked` has given: where it names no host, it means
    /// itself. `None` where it is nothing of the kind.
    pub(super) fn read(answer: &Value, asked: &Address) -> Option<Self> {
        let mut slots = Self::default();
        for range in answer.as_sequence()? {
            let [Value::Int(first), Value::Int(last), master, ..] = range.as_sequence()? else {
                return None;
            };
            let address = node(master, asked)?;
            for slot in *first..=*last {
                slots.assign(u16::try_from(slot).ok()?, address.clone());
            }
        }
        (!slots.nodes.is_empty()).then_some(slots)
    }

    /// The master of a slot, if it is known.
    pub(super) fn master(&self, slot: u16) -> Option<&Address> {
        let place = self.places.get(usize::from(slot))?.checked_sub(1)?;
        self.nodes.get(usize::from(place))
    }

    /// All masters.
    pub(super) fn nodes(&self) -> &[Address] {
        &self.nodes
    }

    /// A slot has another master now.
    pub(super) fn assign(&mut self, slot: u16, master: Address) {
        let known = self.nodes.iter().position(|known| *known == master);
        let place = known.unwrap_or_else(|| {
            self.nodes.push(master);
            self.nodes.len() - 1
        });
        self.places.resize(usize::from(SLOTS), 0);
        let place = u16::try_from(place + 1).unwrap_or(0);
        if let Some(known) = self.places.get_mut(usize::from(slot)) {
            *known = place;
        }
    }
}

fn node(value: &Value, asked: &Address) -> Option<Address> {
    let [host, Value::Int(port), ..] = value.as_sequence()? else {
        return None;
    };
    let port = u16::try_from(*port).ok()?;
    let host = match host {
        Value::BulkString(host) => std::str::from_utf8(host).ok()?,
        Value::SimpleString(host) => host,
        Value::Nil => "",
        _ => return None,
    };
    match (host, asked) {
        ("" | "?", Address::Tcp(host, _)) => Some(Address::Tcp(host.clone(), port)),
        ("" | "?", Address::Unix(_)) => None,
        (host, _) => Some(Address::Tcp(host.to_owned(), port)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Slots as `CLUSTER KEYSLOT` of Redis 7 answers them.
    #[test]
    fn keys_have_the_slots_of_redis() {
        for (key, expected) in [
            ("123456789", 12_739),
            ("foo", 12_182),
            ("{foo}.bar", 12_182),
            ("a{foo}{bar}", 12_182),
            ("lintel:{}:x", 184),
            ("x{a", 6_541),
            ("lintel:{:5=a}b}:routes.a:b", 9_561),
            ("x}{y}", 12_222),
            ("", 0),
        ] {
            assert_eq!(slot(key), expected, "{key}");
        }
    }

    #[test]
    fn answers_are_read() {
        let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let range = |first, last, host: Value, port| {
            let node = Value::Array(vec![host, Value::Int(port), text("id")]);
            Value::Array(vec![
                Value::Int(first),
                Value::Int(last),
                node.clone(),
                node,
            ])
        };
        let asked = Address::Tcp("seed".to_owned(), 1);
        let answer = Value::Array(vec![
            range(0, 99, text("10.0.0.7"), 6379),
            range(100, 100, Value::Nil, 6380),
            range(102, 16_383, text("10.0.0.7"), 6379),
        ]);
        let mut slots = Slots::read(&answer, &asked).unwrap();
        let master = |slots: &Slots, slot| slots.master(slot).map(ToString::to_string);
        assert_eq!(master(&slots, 99).unwrap(), "10.0.0.7:6379");
        assert_eq!(master(&slots, 100).unwrap(), "seed:6380");
        assert_eq!(master(&slots, 101), None);
        assert_eq!(master(&slots, 16_383).unwrap(), "10.0.0.7:6379");
        assert_eq!((master(&slots, 16_384), slots.nodes().len()), (None, 2));
        slots.assign(101, asked.clone());
        assert_eq!(master(&slots, 101).unwrap(), "seed:1");
        for nonsense in [
            Value::Nil,
            Value::Int(1),
            Value::Array(vec![]),
            Value::Array(vec![range(0, 70_000, text("a"), 1)]),
            Value::Array(vec![range(0, 1, text("a"), 70_000)]),
            Value::Array(vec![Value::Array(vec![Value::Int(0), Value::Int(1)])]),
        ] {
            assert!(Slots::read(&nonsense, &asked).is_none(), "{nonsense:?}");
        }
    }
}
