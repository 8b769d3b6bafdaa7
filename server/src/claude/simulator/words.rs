//! What the simulator says: prose, Markdown, numbered words, and the usual reply of one that nobody scripted.

use std::fmt::Write as _;

use super::text::{Numbers, Text};

const PLAIN: &[&str] = &[
    "river", "morning", "stone", "letter", "quiet", "garden", "window", "answer", "light", "paper", "harbour",
    "winter", "table", "song", "forest", "road", "number", "island", "question", "silver", "bridge", "hour", "field",
    "small", "early", "other", "between", "under", "after", "always", "carries", "opens", "keeps", "follows", "finds",
    "leaves", "turns", "holds", "reaches", "and", "the", "a", "of", "with", "from", "near", "over", "toward", "while",
    "because",
];

const MANY_BYTES: &[&str] = &[
    "Grüße",
    "naïve",
    "Straße",
    "über",
    "être",
    "façade",
    "smörgås",
    "žluťoučký",
    "Ωμέγα",
    "привет",
    "мир",
    "日本語",
    "東京",
    "你好",
    "世界",
    "안녕",
    "שלום",
    "سلام",
    "नमस्ते",
    "🙂",
    "🧑‍🚀",
    "🇪🇺",
    "e\u{301}tude",
    "∑",
    "→",
    "½",
];

/// The bank of words of a text.
fn bank(utf8: bool) -> &'static [&'static str] {
    if utf8 { MANY_BYTES } else { PLAIN }
}

/// `tokens` words in sentences and paragraphs.
#[must_use]
pub fn prose(seed: u64, tokens: usize, utf8: bool) -> Text {
    let mut numbers = Numbers::new(seed);
    let mut text = Text::default();
    let mut token = String::new();
    let (mut left, mut sentences) = (0, 0);
    for number in 0..tokens {
        token.clear();
        let begins = left == 0;
        if begins {
            left = 6 + numbers.below(9);
            sentences += 1;
        }
        if number > 0 {
            token.push_str(if begins && sentences % 5 == 0 { "\n\n" } else { " " });
        }
        let word = numbers.pick(bank(utf8));
        let mut letters = word.chars();
        match letters.next() {
            Some(first) if begins => token.extend(first.to_uppercase()),
            Some(first) => token.push(first),
            None => {}
        }
        token.push_str(letters.as_str());
        left -= 1;
        if left == 0 || number + 1 == tokens {
            token.push('.');
        } else if numbers.below(9) == 0 {
            token.push(',');
        }
        text.push(&token);
    }
    text
}

/// Words that carry their number and their call, like `w12·c3`: whatever is mixed, lost or repeated shows.
#[must_use]
pub fn numbered(letter: char, from: usize, to: usize, call: u64, utf8: bool) -> Text {
    let mut text = Text::default();
    let mut token = String::new();
    for number in from..to {
        token.clear();
        if number > 0 {
            token.push_str(if number % 60 == 0 { "\n\n" } else { " " });
        }
        // Writing into a string does not fail.
        let _ = write!(token, "{letter}{number}·c{call}");
        if utf8 {
            token.push_str("é🙂");
        }
        text.push(&token);
    }
    text
}

/// The number in a word of [`numbered`].
#[must_use]
pub fn number_of(word: &str) -> Option<usize> {
    let (number, call) = word.strip_prefix('w')?.split_once("·c")?;
    call.starts_with(|c: char| c.is_ascii_digit()).then_some(())?;
    number.parse().ok()
}

/// Markdown with one of everything, repeated with other words until there are enough tokens; without a number,
/// once.
#[must_use]
pub fn markdown(seed: u64, tokens: Option<usize>, utf8: bool) -> Text {
    let mut numbers = Numbers::new(seed);
    let mut text = Text::default();
    for part in 1.. {
        let mut word = || numbers.pick(bank(utf8));
        let w: [&str; 24] = std::array::from_fn(|_| word());
        let gap = if part == 1 { "" } else { "\n\n" };
        let block = format!(
            "{gap}## Part {part}: {} {}\n\n\
             A paragraph about *{}* and **{}**, with `{}` in it, a [link](https://example.com/{part}) and a note.[^{part}]\n\n\
             - {} {}\n- {} {}\n  - {}\n\n\
             1. {} {}\n2. {}\n\n\
             - [x] {} {}\n- [ ] {}\n\n\
             | Word | Number |\n| :--- | ---: |\n| {} | {part} |\n| {} | {} |\n\n\
             ```rust\nfn main() {{\n    let part = {part};\n    println!(\"{{part}} < 10 && true\");\n}}\n```\n\n\
             > {} {}\n> {}\n\n\
             [^{part}]: About {}.",
            w[0],
            w[1],
            w[2],
            w[3],
            w[4],
            w[5],
            w[6],
            w[7],
            w[8],
            w[9],
            w[10],
            w[11],
            w[12],
            w[13],
            w[14],
            w[15],
            w[16],
            w[17],
            part * 7,
            w[18],
            w[19],
            w[20],
            w[21],
        );
        text.extend(&block);
        match tokens {
            None => break,
            Some(enough) if text.len() >= enough => {
                text.truncate(enough);
                break;
            }
            Some(_) => {}
        }
    }
    text
}

/// How many usual replies there are to one prompt, so that another try reads otherwise.
pub const VARIANTS: u64 = 4;

/// The usual reply. It says what it is, and takes up the prompt's first words.
#[must_use]
pub fn usual(prompt: &str, variant: u64) -> Text {
    let topic = topic(prompt);
    let opening = match (variant % VARIANTS, prompt.trim_end().ends_with('?')) {
        (0, true) => format!("You asked: “{topic}” A real answer needs Claude; this is the simulator speaking."),
        (0, false) => format!("You wrote: “{topic}” This is the simulator answering, not Claude."),
        (1, _) => format!("About “{topic}”: I am the simulator, so I can only show how an answer arrives."),
        (2, _) => format!("Here is another try at “{topic}”. It still comes from the simulator, not from Claude."),
        _ => format!("“{topic}”, once more. The simulator answers again, in other words."),
    };
    let middle = match variant % VARIANTS {
        0 => {
            "Everything around the words is real, though:\n\n\
             - **Streaming.** Each word reaches the page as it is made, about fifty a second.\n\
             - **Nothing is lost.** Reload this page in the middle of a reply, or open it in a second tab: it goes on \
             to its end.\n\
             - **Stored.** What you see is what is kept, byte for byte."
        }
        1 => {
            "Some things to try meanwhile:\n\n\
             1. Reload the page while a reply is arriving.\n\
             2. Press **Stop**, then ask again.\n\
             3. Edit your question; the first version stays beside it."
        }
        2 => {
            "What happens behind a reply:\n\n\
             | Step | Where |\n| :--- | :--- |\n| The words are made | upstream |\n| They are written down | the log |\n\
             | They are shown | this page |\n\n\
             If any of the three breaks, the other two carry on from the log."
        }
        _ => {
            "> A reply that was begun reaches its end, or says plainly why not.\n\n\
             That holds for the simulator as it does for Claude, because both go the same way: through the log and \
             then to you."
        }
    };
    let closing = "To talk to Claude itself, start the server with a key:\n\n\
         ```sh\nANTHROPIC_API_KEY=sk-ant-… make run\n```\n\n\
         Until then you can script me: a line such as `/sim tokens=300 rate=80` in your message sets how long and how \
         fast I answer, and `/sim markdown` shows every kind of formatting.";
    Text::of(&format!("{opening}\n\n{middle}\n\n{closing}"))
}

/// A landing page about the prompt's first words, in HTML.
#[must_use]
pub fn page(prompt: &str, variant: u64) -> Text {
    let topic = topic(prompt);
    let (paper, ink, accent) = match variant % VARIANTS {
        0 => ("#eef3f6", "#17324a", "#2f7ea8"),
        1 => ("#0f2233", "#ffffff", "#f4c95d"),
        2 => ("#fbf7ef", "#3b2f1e", "#b4532a"),
        _ => ("#f2f5ee", "#1e3326", "#2f7a4f"),
    };
    let (headline, words, button) = match variant % VARIANTS {
        0 => (
            "Know the water before you are in it",
            "Tide, swell and temperature for your cove, on one page.",
            "Start a log",
        ),
        1 => ("High water tomorrow: 06:42", "You will be home before the school run.", "Show me my cove"),
        2 => ("Swim when the sea is ready", "Slack water in bold, yesterday beside today.", "See this week"),
        _ => ("The sea keeps a timetable", "We write it out for the cove you swim in.", "Open the notebook"),
    };
    Text::of(&format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{headline}</title>\n<style>\n  body \
         {{ margin: 0; padding: 12vh 8vw; background: {paper}; color: {ink}; font: 18px/1.6 Georgia, serif; }}\n  h1 {{ \
         font-size: 2.6rem; line-height: 1.1; margin: 0 0 1rem; }}\n  .button {{ display: inline-block; padding: 12px 20px; \
         background: {accent}; color: {paper}; font-weight: 700; }}\n  small {{ opacity: 0.8; }}\n</style>\n</head>\n<body>\n\
         <h1>{headline}</h1>\n<p>{words}</p>\n<ul>\n  <li><b>High water, to the minute.</b> For 2,100 beaches and \
         coves.</li>\n  <li><b>Your own notes.</b> Where the ladder is slippery, which steps the sand has covered.</li>\n  \
         <li><b>Works without signal.</b> Seven days are kept on the phone.</li>\n</ul>\n<p><span \
         class=\"button\">{button}</span></p>\n<p><small>Made up by the simulator about: {topic}</small></p>\n</body>\n</html>\n"
    ))
}

/// The prompt's first words, without what Markdown would take for its own.
fn topic(prompt: &str) -> String {
    let plain: String =
        prompt.chars().map(|c| if "*_`<>[]()#|~\\$“”\"&:/@".contains(c) { ' ' } else { c }).take(400).collect();
    let words: Vec<&str> = plain.split_whitespace().collect();
    let first = words.iter().take(10).copied().collect::<Vec<_>>().join(" ");
    let short: String = first.chars().take(80).collect();
    if short.is_empty() {
        "…".to_owned()
    } else if words.len() > 10 || short.len() < first.len() {
        format!("{short} …")
    } else {
        short
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_is_the_same_text() {
        assert_eq!(prose(7, 50, false), prose(7, 50, false));
        assert_ne!(prose(7, 50, false), prose(8, 50, false));
        assert_eq!(prose(7, 50, false).len(), 50);
        assert_eq!(markdown(1, Some(500), true).len(), 500);
        assert!(prose(7, 20, true).as_str().len() > prose(7, 20, true).as_str().chars().count() + 10);
    }

    #[test]
    fn numbered_words_count_on() {
        let text = numbered('w', 59, 62, 3, false);
        assert_eq!(text.as_str(), " w59·c3\n\nw60·c3 w61·c3");
        assert_eq!(number_of("w61·c3"), Some(61));
        assert_eq!((number_of("w61"), number_of("w61·c"), number_of("word")), (None, None, None));
    }

    #[test]
    fn the_usual_reply_says_what_it_is_and_is_of_a_readable_length() {
        for variant in 0..VARIANTS {
            let text = usual("How *tall* is the <Eiffel> tower in Paris, France, all in all?", variant);
            assert!(text.as_str().contains("simulator"));
            assert!(
                text.as_str().contains("How tall is the Eiffel tower in Paris, France, all …"),
                "{}",
                text.as_str()
            );
            assert!((80..=200).contains(&text.len()), "{}", text.len());
        }
    }
}
