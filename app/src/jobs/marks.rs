//! Two pieces of HTML of our own making, with marks where their words differ.

use super::diff;

/// Both sides, marked.
pub(super) struct Marked {
    pub(super) left: String,
    pub(super) right: String,
    /// How many places differ.
    pub(super) places: usize,
    /// How many words of the longer side differ, and how many it has.
    pub(super) words: (usize, usize),
}

/// A piece of HTML: what is compared is words only.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Piece<'a> {
    Tag(&'a str),
    Space(&'a str),
    Word(&'a str),
    /// A caption's words belong to the page, not to the text.
    Caption(&'a str),
}

/// Our renderer escapes `<` and `>` in texts and attributes, so that each one is a tag's.
fn pieces(html: &str) -> Vec<Piece<'_>> {
    let mut out = Vec::new();
    let mut rest = html;
    let mut caption = false;
    while let Some(first) = rest.chars().next() {
        let (is_tag, end) = if first == '<' {
            (true, rest.find('>').map_or(rest.len(), |at| at + 1))
        } else {
            let space = first.is_whitespace();
            (false, rest.find(|c: char| c == '<' || c.is_whitespace() != space).unwrap_or(rest.len()))
        };
        let (piece, after) = rest.split_at(end);
        rest = after;
        if is_tag {
            if piece.starts_with("<figcaption") {
                caption = true;
            } else if piece.starts_with("</figcaption") {
                caption = false;
            }
            out.push(Piece::Tag(piece));
        } else if caption {
            out.push(Piece::Caption(piece));
        } else if first.is_whitespace() {
            out.push(Piece::Space(piece));
        } else {
            out.push(Piece::Word(piece));
        }
    }
    out
}

fn words<'a>(pieces: &[Piece<'a>]) -> Vec<&'a str> {
    let word = |piece: &Piece<'a>| if let Piece::Word(word) = piece { Some(*word) } else { None };
    pieces.iter().filter_map(word).collect()
}

/// Marks what one side has and the other lacks: `del` on the left, `ins` on the right.
pub(super) fn mark(left: &str, right: &str) -> Marked {
    let (left, right) = (pieces(left), pieces(right));
    let (l_words, r_words) = (words(&left), words(&right));
    let pairs = diff::shared(&l_words, &r_words);
    // The number of the place that a word belongs to; 0: it is on both sides.
    let (mut l_marks, mut r_marks) = (vec![0; l_words.len()], vec![0; r_words.len()]);
    let (mut places, mut from) = (0, (0, 0));
    for &(l, r) in pairs.iter().chain([&(l_words.len(), r_words.len())]) {
        if (l, r) != from {
            places += 1;
            l_marks[from.0..l].fill(places);
            r_marks[from.1..r].fill(places);
        }
        from = (l + 1, r + 1);
    }
    let most = if l_words.len() > r_words.len() { &l_marks } else { &r_marks };
    let differ = most.iter().filter(|place| **place > 0).count();
    Marked {
        left: write(&left, &l_marks, "del"),
        right: write(&right, &r_marks, "ins"),
        places,
        words: (differ, most.len()),
    }
}

/// Never across a tag, so that it nests whatever the text is; spaces between two marked words belong to the mark.
fn write(pieces: &[Piece<'_>], marks: &[usize], tag: &str) -> String {
    let mut out = String::new();
    let mut marks = marks.iter().copied();
    let mut open = 0;
    let mut spaces = "";
    let shut = |out: &mut String, open: &mut usize| {
        if std::mem::take(open) > 0 {
            *out += &format!("</{tag}>");
        }
    };
    for piece in pieces {
        match *piece {
            Piece::Space(space) => {
                spaces = space;
                continue;
            }
            Piece::Tag(html) | Piece::Caption(html) => {
                shut(&mut out, &mut open);
                out.push_str(std::mem::take(&mut spaces));
                out.push_str(html);
            }
            Piece::Word(word) => {
                let place = marks.next().unwrap_or(0);
                if place != open {
                    shut(&mut out, &mut open);
                }
                out.push_str(std::mem::take(&mut spaces));
                if place > 0 && open == 0 {
                    out += &format!("<{tag} data-place=\"{place}\">");
                    open = place;
                }
                out.push_str(word);
            }
        }
    }
    shut(&mut out, &mut open);
    out + spaces
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_are_marked_within_their_elements() {
        let marked = mark(
            "<h3>Know the water &amp; tide</h3>\n<p><b>Start</b> now</p>",
            "<h3>Read the water &amp; tide</h3>\n<p>Go <b>now</b></p>",
        );
        assert_eq!(
            marked.left,
            "<h3><del data-place=\"1\">Know</del> the water &amp; tide</h3>\n<p><b><del data-place=\"2\">Start</del></b> now</p>"
        );
        assert_eq!(
            marked.right,
            "<h3><ins data-place=\"1\">Read</ins> the water &amp; tide</h3>\n<p><ins data-place=\"2\">Go</ins> <b>now</b></p>"
        );
        assert_eq!((marked.places, marked.words), (2, (2, 7)));
    }

    #[test]
    fn neighbours_share_a_mark_and_captions_have_none() {
        let marked =
            mark("<figcaption>HTML Copy</figcaption>a b c d e f", "<figcaption>CSS Copy</figcaption>a b x y d e f");
        assert!(marked.left.starts_with("<figcaption>HTML Copy</figcaption>a b <del data-place=\"1\">c</del> d"));
        assert!(marked.right.contains("<ins data-place=\"1\">x y</ins> d e f"), "{}", marked.right);
    }

    proptest! {
        #[test]
        fn without_the_marks_it_is_what_it_was(left in "(<p>|</p>|a|b|c|&lt;| |\n){0,30}", right in "(<p>|</p>|a|b|c| |\n){0,30}") {
            let marked = mark(&left, &right);
            let bare = |html: &str, tag: &str| {
                let mut out = html.replace(&format!("</{tag}>"), "");
                while let Some(at) = out.find(&format!("<{tag} ")) {
                    let end = at + out[at..].find('>').unwrap_or(0);
                    out.replace_range(at..=end, "");
                }
                out
            };
            prop_assert_eq!(bare(&marked.left, "del"), left);
            prop_assert_eq!(bare(&marked.right, "ins"), right);
        }
    }
}
