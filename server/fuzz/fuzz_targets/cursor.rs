//! Any text as a cursor: it is refused, or stands for one position and is written as it was read.
#![no_main]

use app::domain::Cursor;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, u64)| {
    let (text, number) = input;
    if let Ok(cursor) = text.parse::<Cursor>() {
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        assert_eq!(text.trim_start_matches('0'), cursor.to_string().trim_start_matches('0'));
    }
    match Cursor::try_from(number) {
        Ok(cursor) => assert_eq!(u64::from(cursor), number),
        Err(_) => assert!(number >= 1 << 53, "{number} is refused"),
    }
});
