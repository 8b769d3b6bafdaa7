//! What is asked in a run: chats, their turns, and what people do meanwhile.

use crate::{dice::Dice, options::Options};

/// One turn, and who looks on.
#[derive(Debug, Clone)]
pub(crate) struct TurnPlan {
    /// Its place in the run; also the script's seed, by which a call upstream is known.
    pub(crate) index: usize,
    pub(crate) tokens: usize,
    pub(crate) rate: u64,
    /// Milliseconds to the first token; more than a second for those whose runner dies before it.
    pub(crate) ttft: u64,
    pub(crate) think: usize,
    pub(crate) utf8: bool,
    /// Asked to go on, the model greets first.
    pub(crate) greets: bool,
    /// Something breaks upstream, once.
    pub(crate) fault: Option<String>,
    /// The same send goes to two servers at once.
    pub(crate) twice: bool,
    /// Readers beside the sender.
    pub(crate) readers: u64,
    /// The sender goes away at once and nobody else comes.
    pub(crate) unwatched: bool,
    /// Milliseconds after which it is stopped.
    pub(crate) stop: Option<u64>,
    /// Milliseconds after which its chat is deleted, and whether that is undone.
    pub(crate) delete: Option<(u64, bool)>,
    pub(crate) dice: Dice,
}

impl TurnPlan {
    /// What a person sends.
    pub(crate) fn text(&self) -> String {
        let Self { index, tokens, rate, ttft, .. } = self;
        let mut script = format!("Turn {index}\n/sim tokens={tokens} rate={rate} vary seed={index}");
        if *ttft > 0 {
            script.push_str(&format!(" ttft={ttft}"));
        }
        if self.think > 0 {
            script.push_str(&format!(" think={}", self.think));
        }
        if self.utf8 {
            script.push_str(" utf8 bytes=7");
        }
        if self.greets {
            script.push_str(" seam=greet");
        }
        if let Some(fault) = &self.fault {
            script.push_str(&format!(" {fault} times=1"));
        }
        script
    }

    /// The runner is to die before the first token, twice.
    pub(crate) fn slow_start(&self) -> bool {
        self.ttft >= 1000
    }
}

/// All chats of a run, each with its turns in order.
pub(crate) fn chats(options: &Options, dice: &mut Dice) -> Vec<Vec<TurnPlan>> {
    let mut chats: Vec<Vec<TurnPlan>> = Vec::new();
    let mut index = 0;
    while index < options.turns as usize {
        let many = dice.between(1, 3).min(options.turns - index as u64);
        let mut turns: Vec<TurnPlan> =
            (0..many).map(|i| turn(index + i as usize, options.tokens, dice.fork())).collect();
        index += turns.len();
        // Whoever asks again has seen the end of the last answer, and only the last chat of all can be deleted.
        let last = turns.len() - 1;
        for turn in &mut turns[..last] {
            turn.unwatched = false;
            turn.delete = None;
        }
        chats.push(turns);
    }
    chats
}

fn turn(index: usize, longest: u64, mut dice: Dice) -> TurnPlan {
    let unwatched = dice.chance(15);
    let tokens = dice.between(20, longest) as usize;
    let rate = dice.between(15, 40);
    let ttft = if dice.chance(8) { dice.between(2500, 3500) } else { dice.between(0, 1) * dice.between(20, 300) };
    let fault = dice.chance(10).then(|| match dice.between(0, 3) {
        0 => "status=529".to_owned(),
        1 => format!("fault=reset@{}", dice.between(6, 15)),
        2 => format!("fault=overloaded@{}", dice.between(6, 15)),
        _ => format!("fault=truncate@{}", dice.between(6, 15)),
    });
    // Everything of a turn lasts about so long.
    let length = ttft + tokens as u64 * 1000 / rate;
    TurnPlan {
        index,
        tokens,
        rate,
        ttft,
        think: if dice.chance(15) { dice.between(3, 20) as usize } else { 0 },
        utf8: dice.chance(25),
        greets: dice.chance(15),
        fault,
        twice: dice.chance(15),
        readers: if unwatched { 0 } else { dice.between(0, 2) },
        unwatched,
        stop: dice.chance(12).then(|| dice.between(0, length)),
        delete: dice.chance(12).then(|| (dice.between(0, length), dice.chance(50))),
        dice,
    }
}
