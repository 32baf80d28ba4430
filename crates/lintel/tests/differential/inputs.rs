//! What is sent.

use crate::cases::{Case, Outcome, framing, heads, hygiene};

/// Bytes on a connection, under a name that stays the same.
pub(crate) struct Input {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// The codec's cases, and so many mutations of those that it accepts.
pub(crate) fn all(mutations: usize) -> Vec<Input> {
    let tables = [
        heads::START_LINE,
        heads::TARGET,
        heads::HOST,
        heads::FIELDS,
        framing::LENGTH,
        framing::CODING,
        hygiene::REQUESTS,
    ];
    let mut inputs: Vec<Input> = Vec::new();
    let mut seeds: Vec<(usize, &Case)> = Vec::new();
    for case in tables.into_iter().flatten() {
        add(&mut inputs, &mut seeds, case, b"");
    }
    for case in framing::CHUNKS {
        let head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        add(&mut inputs, &mut seeds, case, head);
    }
    let mut random = Random(0x11_7e1);
    for number in 0..mutations {
        let (place, _) = seeds[random.below(seeds.len())];
        let mut bytes = inputs[place].bytes.clone();
        let change = mutate(&mut bytes, &mut random);
        let name = format!("{} [{number}: {change}]", inputs[place].name);
        inputs.push(Input { name, bytes });
    }
    inputs
}

fn add<'a>(
    inputs: &mut Vec<Input>,
    seeds: &mut Vec<(usize, &'a Case)>,
    case: &'a Case,
    head: &[u8],
) {
    let Case(section, name, bytes, outcome) = case;
    if matches!(outcome, Outcome::Seen(_)) {
        seeds.push((inputs.len(), case));
    }
    inputs.push(Input {
        name: format!("{section} {name}"),
        bytes: [head, bytes].concat(),
    });
}

/// Bytes at which parsers part.
const TELLING: &[u8] = b"\r\n\t \0:;,=\"\x0b\x7f\x80\xff0199aAfFxX-+_/?#%.*()[]{}<>";

/// Makes one change, and says which.
fn mutate(bytes: &mut Vec<u8>, random: &mut Random) -> String {
    let at = random.below(bytes.len());
    let byte = TELLING[random.below(TELLING.len())];
    match random.below(6) {
        0 => {
            bytes[at] = byte;
            format!("{byte:#04x} at {at}")
        }
        1 => {
            bytes.insert(at, byte);
            format!("{byte:#04x} put in at {at}")
        }
        2 => {
            bytes.remove(at);
            format!("without {at}")
        }
        3 => {
            bytes.insert(at, bytes[at]);
            format!("{at} twice")
        }
        4 => {
            let lines = lines(bytes);
            let line = lines[random.below(lines.len())].clone();
            let copy = bytes[line.clone()].to_vec();
            bytes.splice(line.end..line.end, copy);
            format!("line of {} twice", line.start)
        }
        _ => {
            let lines = lines(bytes);
            let line = lines[random.below(lines.len())].clone();
            let cut = bytes.splice(line.clone(), []).collect::<Vec<u8>>();
            let place = crate::inputs::lines(bytes);
            let before = place
                .get(random.below(place.len().max(1)))
                .map_or(0, |line| line.start);
            bytes.splice(before..before, cut);
            format!("line of {} at {before}", line.start)
        }
    }
}

/// Where each line is, its end included.
fn lines(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut start = 0;
    let lines = bytes.split_inclusive(|byte| *byte == b'\n').map(|line| {
        let range = start..start + line.len();
        start = range.end;
        range
    });
    lines.collect()
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).unwrap()
    }
}
