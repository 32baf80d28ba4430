//! Any bytes as the beginning of a connection: no panic, and the answer is the same however the bytes
//! come in pieces.

use lintel_tls::proxy_protocol::parse;

pub(crate) fn run(data: &[u8]) {
    let whole = parse(data);
    if let Ok(Some((_, length))) = &whole {
        assert!(*length <= data.len());
        assert_eq!(
            parse(&data[..*length]),
            whole,
            "what follows a header changes it"
        );
    }
    // A prefix asks for more until it says what the whole says.
    for end in 0..data.len().min(600) {
        match parse(&data[..end]) {
            Ok(None) => {}
            settled => {
                assert_eq!(settled, whole, "settled at {end}");
                return;
            }
        }
    }
}
