//! What tokens cost: Anthropic's list prices as of 25 November 2026
//! (<https://platform.claude.com/docs/en/about-claude/pricing>), without discounts. Whoever pays less spends less than
//! is counted here.

use app::domain::Usage;

/// Nanodollars a token: a dollar a million tokens is 1,000 of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Price {
    input: u64,
    output: u64,
}

/// Dollars a million tokens, in hundredths.
const fn price(input: u64, output: u64) -> Price {
    Price { input: input * 10, output: output * 10 }
}

/// By the model's id, without a date at its end: what a prompt costs, and past how many tokens of it what instead.
type Row = (&'static str, Price, Option<(u64, Price)>);

const PRICES: &[Row] = &[
    ("claude-sonnet-5-5", price(200, 1000), None),
    ("claude-sonnet-5", price(200, 1000), None),
    ("claude-opus-5-5", price(400, 2000), None),
    ("claude-opus-5", price(500, 2500), None),
    ("claude-haiku-5-5", price(10, 50), Some((100_000, price(50, 250)))),
    ("claude-opus-4-8", price(500, 2500), None),
    ("claude-opus-4-7", price(500, 2500), None),
    ("claude-opus-4-6", price(500, 2500), None),
    ("claude-opus-4-5", price(500, 2500), None),
    ("claude-sonnet-4-6", price(300, 1500), None),
    ("claude-sonnet-4-5", price(300, 1500), Some((200_000, price(600, 2250)))),
    ("claude-haiku-4-5", price(100, 500), None),
    ("claude-fable-5-1", price(1000, 5000), None),
    ("claude-fable-5-2", price(800, 4000), None),
    ("claude-opus-4-1", DEAREST, None),
    ("claude-opus-4", DEAREST, None),
    ("claude-sonnet-4", price(300, 1500), Some((200_000, price(600, 2250)))),
];

/// The dearest of them, for a model that is not among them: a cap must never be met too late.
const DEAREST: Price = price(1500, 7500);

/// A model's id without the date that some have at their end.
fn undated(model: &str) -> &str {
    match model.rsplit_once('-') {
        Some((name, date)) if date.len() == 8 && date.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => model,
    }
}

/// What a turn's tokens cost, in millionths of a dollar, rounded up. A write to the cache costs a quarter more than
/// reading anew, a read from it a tenth (the cache of five minutes, which is the one asked for).
#[must_use]
pub fn micros(model: &str, usage: &Usage) -> u64 {
    let Usage {
        input_tokens, output_tokens, cache_creation_input_tokens: written, cache_read_input_tokens: read, ..
    } = *usage;
    let prompt = input_tokens.saturating_add(written).saturating_add(read);
    let price = PRICES.iter().find(|(id, ..)| *id == undated(model)).map_or(DEAREST, |(_, price, long)| match long {
        Some((past, long)) if prompt > *past => *long,
        _ => *price,
    });
    // In twentieths of a nanodollar, so that a quarter and a tenth are whole.
    let parts = [
        (input_tokens, price.input * 20),
        (written, price.input * 25),
        (read, price.input * 2),
        (output_tokens, price.output * 20),
    ];
    let sum: u128 = parts.iter().map(|(n, each)| u128::from(*n) * u128::from(*each)).sum();
    u64::try_from(sum.div_ceil(20_000)).unwrap_or(u64::MAX)
}

/// Millionths of a dollar as people write them: `$0.071`, `$12.30`.
#[must_use]
pub fn dollars(micros: u64) -> String {
    if micros >= 1_000_000 {
        let cents = micros.div_ceil(10_000);
        return format!("${}.{:02}", cents / 100, cents % 100);
    }
    format!("$0.{:03}", micros.div_ceil(1000).min(999))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claude::models::built_in;

    fn usage(input: u64, written: u64, read: u64, output: u64) -> Usage {
        Usage {
            input_tokens: input,
            output_tokens: output,
            cache_creation_input_tokens: written,
            cache_read_input_tokens: read,
            estimated: false,
        }
    }

    #[test]
    fn each_kind_of_token_has_its_price() {
        let m = 1_000_000;
        let of = |usage: Usage| micros("claude-sonnet-4-6", &usage);
        assert_eq!(of(usage(m, 0, 0, 0)), 3_000_000);
        assert_eq!(of(usage(0, m, 0, 0)), 3_750_000);
        assert_eq!(of(usage(0, 0, m, 0)), 300_000);
        assert_eq!(of(usage(0, 0, 0, m)), 15_000_000);
        assert_eq!(of(usage(1, 0, 1, 0)), 4, "3.3, rounded up");
        assert_eq!(of(usage(0, 0, 0, 0)), 0);
        assert_eq!(micros("claude-haiku-4-5-20251001", &usage(m, 0, 0, 0)), 1_000_000);
        assert_eq!(micros("claude-haiku-5-5", &usage(100_000, 0, 0, 0)), 10_000);
        assert_eq!(
            micros("claude-haiku-5-5", &usage(50_000, 0, 50_001, 0)),
            27_501,
            "past 100,000 all of it is dearer"
        );
        assert_eq!(micros("x", &usage(u64::MAX, u64::MAX, 0, u64::MAX)), u64::MAX);
    }

    #[test]
    fn an_unknown_model_is_the_dearest_and_those_listed_are_known() {
        let one = usage(1000, 1000, 1000, 1000);
        let most = PRICES.iter().map(|(id, ..)| micros(id, &one)).max().unwrap();
        assert_eq!(micros("claude-of-next-year", &one), most);
        for model in built_in() {
            assert!(PRICES.iter().any(|(id, ..)| *id == undated(&model.id)), "{} has no price", model.id);
        }
    }

    #[test]
    fn dollars_read_as_such() {
        for (micros, text) in [
            (0, "$0.000"),
            (1, "$0.001"),
            (71_000, "$0.071"),
            (999_999, "$0.999"),
            (1_000_000, "$1.00"),
            (12_299_999, "$12.30"),
        ] {
            assert_eq!(dollars(micros), text);
        }
    }
}
