//! Which words two texts share.

use std::collections::HashMap;
use std::ops::Range;

/// Words times words: two pieces up to that are compared word by word; larger ones are first cut where both have a word
/// that each has only once.
const TABLE: usize = 1_000_000;
/// Shared words that stand so few together between others are chance, and only make the marks unreadable.
const CHANCE: usize = 2;

/// Pairs of places, left and right, that hold the same word; both rise.
pub(super) fn shared(left: &[&str], right: &[&str]) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    compare(left, right, 0..left.len(), 0..right.len(), &mut pairs);
    without_chance(&pairs, left.len(), right.len())
}

fn compare(left: &[&str], right: &[&str], mut l: Range<usize>, mut r: Range<usize>, pairs: &mut Vec<(usize, usize)>) {
    while !l.is_empty() && !r.is_empty() && left[l.start] == right[r.start] {
        pairs.push((l.start, r.start));
        l.start += 1;
        r.start += 1;
    }
    let mut tail = 0;
    while l.len() > tail && r.len() > tail && left[l.end - 1 - tail] == right[r.end - 1 - tail] {
        tail += 1;
    }
    let (l_end, r_end) = (l.end, r.end);
    l.end -= tail;
    r.end -= tail;
    if l.len().saturating_mul(r.len()) <= TABLE {
        longest(left, right, l, r, pairs);
    } else {
        let (mut l_from, mut r_from) = (l.start, r.start);
        let anchors = anchors(left, right, l.clone(), r.clone());
        // Without any, the whole piece differs.
        if !anchors.is_empty() {
            for (l_at, r_at) in anchors {
                compare(left, right, l_from..l_at, r_from..r_at, pairs);
                pairs.push((l_at, r_at));
                (l_from, r_from) = (l_at + 1, r_at + 1);
            }
            compare(left, right, l_from..l.end, r_from..r.end, pairs);
        }
    }
    pairs.extend((0..tail).rev().map(|back| (l_end - 1 - back, r_end - 1 - back)));
}

/// The longest common subsequence, by the table of its lengths.
fn longest(left: &[&str], right: &[&str], l: Range<usize>, r: Range<usize>, pairs: &mut Vec<(usize, usize)>) {
    let width = r.len() + 1;
    let mut lengths = vec![0u32; (l.len() + 1) * width];
    for i in (0..l.len()).rev() {
        for j in (0..r.len()).rev() {
            lengths[i * width + j] = if left[l.start + i] == right[r.start + j] {
                lengths[(i + 1) * width + j + 1] + 1
            } else {
                lengths[(i + 1) * width + j].max(lengths[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < l.len() && j < r.len() {
        if left[l.start + i] == right[r.start + j] {
            pairs.push((l.start + i, r.start + j));
            i += 1;
            j += 1;
        } else if lengths[(i + 1) * width + j] >= lengths[i * width + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
}

/// Words that both sides have exactly once: the longest run of them that rises on both.
fn anchors(left: &[&str], right: &[&str], l: Range<usize>, r: Range<usize>) -> Vec<(usize, usize)> {
    // Where it is, and how often, on either side.
    let mut seen: HashMap<&str, (usize, u32, usize, u32)> = HashMap::new();
    for at in l {
        let entry = seen.entry(left[at]).or_default();
        (entry.0, entry.1) = (at, entry.1 + 1);
    }
    for at in r {
        let entry = seen.entry(right[at]).or_default();
        (entry.2, entry.3) = (at, entry.3 + 1);
    }
    let mut once: Vec<(usize, usize)> =
        seen.into_values().filter(|(_, a, _, b)| (*a, *b) == (1, 1)).map(|(l, _, r, _)| (l, r)).collect();
    once.sort_unstable();
    // Patience: piles by the right place; each card knows the one below it in the pile before.
    let mut piles: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(once.len());
    for (i, (_, r)) in once.iter().enumerate() {
        let pile = piles.partition_point(|&top| once[top].1 < *r);
        before.push(pile.checked_sub(1).map(|p| piles[p]));
        if pile == piles.len() { piles.push(i) } else { piles[pile] = i }
    }
    let mut chain = Vec::with_capacity(piles.len());
    let mut at = piles.last().copied();
    while let Some(i) = at {
        chain.push(once[i]);
        at = before[i];
    }
    chain.reverse();
    chain
}

fn without_chance(pairs: &[(usize, usize)], left: usize, right: usize) -> Vec<(usize, usize)> {
    let mut kept = Vec::with_capacity(pairs.len());
    let mut from = 0;
    while from < pairs.len() {
        let mut to = from + 1;
        while to < pairs.len() && pairs[to] == (pairs[to - 1].0 + 1, pairs[to - 1].1 + 1) {
            to += 1;
        }
        let ((l_first, r_first), (l_last, r_last)) = (pairs[from], pairs[to - 1]);
        let at_start = l_first == 0 && r_first == 0;
        let at_end = l_last + 1 == left && r_last + 1 == right;
        if to - from > CHANCE || at_start || at_end || (from > 0 && alone(pairs, from, to, left, right)) {
            kept.extend_from_slice(&pairs[from..to]);
        }
        from = to;
    }
    kept
}

/// Whether what differs around this run is no more than the run itself: a word changed here and there.
fn alone(pairs: &[(usize, usize)], from: usize, to: usize, left: usize, right: usize) -> bool {
    let (l, r) = pairs[from - 1];
    let ((l_first, r_first), (l_last, r_last)) = (pairs[from], pairs[to - 1]);
    let (l_next, r_next) = pairs.get(to).copied().unwrap_or((left, right));
    let before = (l_first - l - 1).max(r_first - r - 1);
    let after = (l_next - l_last - 1).max(r_next - r_last - 1);
    before.max(after) <= to - from
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(text: &str) -> Vec<&str> {
        text.split_whitespace().collect()
    }

    fn common(left: &str, right: &str) -> String {
        let (left, right) = (words(left), words(right));
        shared(&left, &right).iter().map(|(l, _)| left[*l]).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_is_shared_is_found() {
        assert_eq!(common("Know the water before you", "Read the water before you"), "the water before you");
        assert_eq!(common("a b c", "a b c"), "a b c");
        assert_eq!(common("", "a"), "");
        assert_eq!(common("a x c d e", "a y c d e"), "a c d e");
        // Chance: two little words in the middle of something quite different.
        assert_eq!(common("one two three the four five six", "ten nine eight seven the zero none nothing"), "");
    }

    #[test]
    fn long_texts_are_cut_at_what_both_have_once() {
        let left: Vec<String> = (0..3000).map(|n| format!("w{n}")).collect();
        let mut right = left.clone();
        for at in [10, 500, 2900] {
            right[at] = format!("other{at}");
        }
        let (left, right): (Vec<&str>, Vec<&str>) =
            (left.iter().map(String::as_str).collect(), right.iter().map(String::as_str).collect());
        assert_eq!(shared(&left, &right).len(), 2997);
        // Nothing at all in common is no reason to take long.
        let other: Vec<&str> = std::iter::repeat_n("x", 3000).collect();
        assert_eq!(shared(&left, &other), []);
    }

    proptest! {
        #[test]
        fn pairs_rise_and_hold_the_same_words(left in prop::collection::vec(0..6u8, 0..40), right in prop::collection::vec(0..6u8, 0..40)) {
            let name = |n: &u8| n.to_string();
            let (left, right): (Vec<String>, Vec<String>) = (left.iter().map(name).collect(), right.iter().map(name).collect());
            let (left, right): (Vec<&str>, Vec<&str>) =
                (left.iter().map(String::as_str).collect(), right.iter().map(String::as_str).collect());
            let pairs = shared(&left, &right);
            for pair in &pairs {
                prop_assert_eq!(left[pair.0], right[pair.1]);
            }
            for both in pairs.windows(2) {
                prop_assert!(both[0].0 < both[1].0 && both[0].1 < both[1].1);
            }
            if left == right {
                prop_assert_eq!(pairs.len(), left.len());
            }
        }
    }
}
