//! What must hold for any text at all. The fuzz target takes this file too, so that it names nothing of the tests.

use super::check::check;
use crate::markdown::{Live, Options, Stream, plain_text, render_with, words};

/// Cuts a text at the places that `cuts` give, as shares of its length.
pub(super) fn pieces<'a>(text: &'a str, cuts: &[u16]) -> Vec<&'a str> {
    let mut places: Vec<usize> =
        cuts.iter().map(|cut| text.floor_char_boundary(text.len() * usize::from(*cut) / 65535)).collect();
    places.extend([0, text.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect()
}

/// Renders it whole, as it grows, and for a page without JavaScript; checks every piece of HTML on the way.
///
/// # Errors
/// What is wrong, and where.
pub(super) fn safe(text: &str, seams: &[u32], cuts: &[u16]) -> Result<(), String> {
    let options = Options { prefix: "m".to_owned(), caret: true };
    check(&render_with(text, seams, &options))?;
    let mut live = Live::new(options);
    let mut stream = Stream::new();
    let mut all = String::new();
    let mut streamed = String::new();
    for (index, piece) in pieces(text, cuts).into_iter().enumerate() {
        live.push(piece);
        let update = live.update();
        for html in &update.closed {
            check(html)?;
        }
        all.push_str(&update.closed.concat());
        check(&(all.clone() + &update.tail))?;
        streamed.push_str(&stream.push(piece).unwrap_or_default());
        if index % 3 == 2 {
            live.seam();
            stream.seam();
        }
    }
    check(&(all + &live.finish()))?;
    check(&(streamed + &stream.finish()))?;
    if plain_text(text).contains('\n') {
        return Err(format!("plain text with a line break, of {text:?}"));
    }
    if words(text) as usize > text.len() {
        return Err(format!("more words than bytes in {text:?}"));
    }
    Ok(())
}
