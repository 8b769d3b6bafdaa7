//! The list of keys, opened by `?`.

use super::icons::icon;

/// Keys, and what they do. The last number says how many of them are single keys.
const SINGLE: [(&str, &str); 5] =
    [("N", "New chat"), ("J", "Jobs"), ("/", "To the composer"), ("[ ]", "Newer and older chat"), ("?", "This list")];
const ALWAYS: [(&str, &str); 9] = [
    ("Enter", "Send"),
    ("Shift Enter", "Break the line"),
    ("↑", "In an empty composer: edit the last question"),
    ("Ctrl .", "Stop the reply"),
    ("End", "To the latest"),
    ("F2", "On a chat: rename"),
    ("Del", "On a chat: delete"),
    ("Ctrl Z", "Undo a deletion"),
    ("Esc", "Close, or leave renaming"),
];

/// The list, with the switch that turns single keys off.
#[must_use]
pub fn keys() -> String {
    let list = |keys: &[(&str, &str)]| -> String {
        let rows = keys.iter().map(|(key, does)| {
            let caps: String = key.split(' ').map(|k| ["<kbd>", k, "</kbd>"].concat()).collect();
            ["<div><dt>", &caps, "</dt><dd>", does, "</dd></div>"].concat()
        });
        ["<dl>", &rows.collect::<String>(), "</dl>"].concat()
    };
    [
        "<div class=\"keys-head\"><h2 id=\"keys-title\">Keyboard</h2><button class=\"icon-btn\" type=\"button\" \
         popovertarget=\"keys\" popovertargetaction=\"hide\" aria-label=\"Close\">",
        &icon("close"),
        "</button></div>",
        &list(&ALWAYS),
        &list(&SINGLE),
        "<label class=\"check\"><input type=\"checkbox\" id=\"single-keys\" autocomplete=\"off\" checked>\
         Single keys, outside text fields</label>",
    ]
    .concat()
}
