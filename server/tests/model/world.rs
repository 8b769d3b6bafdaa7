//! The state of the model: the table, the puts on their way, and everybody who acts.

use std::{
    cell::Cell,
    hash::{Hash, Hasher},
    rc::Rc,
};

use app::domain::{Outcome, PieceKind, Timestamp, Timing, Usage};
use server::{
    storage::{By, End, Kind, Segment},
    turn::{content::Content, log::Log, writer::Author},
};

use crate::{follower::Follower, runner::Runner, table::Table};

/// Slots for runners: one slot runs once. The last one is used only to see whether a fresh runner could finish.
pub const RUNNERS: usize = 5;
/// The slot of the fresh runner.
pub const FRESH: usize = RUNNERS - 1;
pub const FOLLOWERS: usize = 2;
/// Slots for processes; the last one is the fresh runner's.
pub const PROCESSES: usize = 4;
/// No runner in a process's hub.
pub const NOBODY: u8 = u8::MAX;

/// A rule that is left out, to see that the model would notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// What stands at the key of an unanswered put is taken to be one's own.
    NoNonce,
    /// After an ambiguous answer the put is built anew, with what came since.
    Rebuilt,
    /// Puts have no condition.
    BlindPut,
    /// A claim needs only that the turn is open with as many claims as were read: not that its key is free.
    BlindClaim,
    /// A claim needs only that its key is free: not that the turn is open with as many claims as were read.
    UncountedClaim,
    /// What has ended is claimed too.
    ClaimAfterEnd,
    /// A runner that met somebody else's segment takes the next key, as it does after a `stop`.
    NoFence,
    /// Text of a claim is shown before the claim is acknowledged.
    EarlyText,
    /// `end` is shown before the message is stored.
    EarlyEnd,
    /// A cursor is an offset: the claim is taken to be the newest.
    CursorWithoutClaim,
    /// Only the claim right after the cursor's rewinds it.
    NextClaimOnly,
    /// The client drops nothing.
    NoRewind,
    /// A turn is done and its session stays taken.
    ActiveStays,
    /// Whoever stops a turn appends its `end` at once, instead of claiming it first.
    StopEnds,
    /// A turn is set done without its message though its session is not deleted any more.
    FinishUnchecked,
}

/// How often each fault may strike, and how often each wish may come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Budget {
    /// Writes that happen, but whose answer is lost.
    pub lost: u8,
    /// Writes that time out and happen at any later moment.
    pub late: u8,
    /// Processes killed.
    pub kill: u8,
    /// Followers' connections cut, anywhere between two events.
    pub cut: u8,
    pub release: u8,
    pub stop: u8,
    /// Upstream breaks past the first content, so the runner claims over itself.
    pub again: u8,
    pub beat: u8,
    pub delete: u8,
    pub restore: u8,
    pub purge: u8,
}

#[derive(Debug, Clone, Copy)]
pub struct Config {
    pub name: &'static str,
    /// The process of each runner; as many runners as there are processes named.
    pub runners: &'static [u8],
    pub followers: usize,
    /// The reply's length in characters.
    pub length: u8,
    /// How many of the last logged characters a claim may drop, at most.
    pub drops: u8,
    /// Whether a follower's read of a log may be stale.
    pub stale: bool,
    pub budget: Budget,
    pub broken: Option<Broken>,
}

impl Config {
    pub fn is(&self, broken: Broken) -> bool {
        self.broken == Some(broken)
    }
    pub fn process(&self, runner: usize) -> u8 {
        self.runners.get(runner).copied().unwrap_or(PROCESSES as u8 - 1)
    }
}

/// What is small and belongs to nobody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Misc {
    pub budget: Budget,
    /// Which runner each process shows to its followers.
    pub hub: [u8; PROCESSES],
    /// Somebody who compacts was told that the session is deleted, and has not set the turn done yet.
    pub finishing: bool,
    /// A `restore` has yet to look whether a reply was left without its message.
    pub rescue: bool,
}

/// A put or a claim, as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    pub seq: u64,
    pub segment: Segment,
    /// Of a claim: how many claims its sender read.
    pub claims: Option<u32>,
}

impl Hash for Sent {
    fn hash<H: Hasher>(&self, h: &mut H) {
        (self.seq, &self.segment.nonce).hash(h);
    }
}

/// Who presses stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopper {
    Idle,
    Putting { log: Rc<Log>, segment: Segment },
    Done,
}

impl Hash for Stopper {
    fn hash<H: Hasher>(&self, h: &mut H) {
        match self {
            Self::Idle => 0.hash(h),
            Self::Putting { log, segment } => {
                (1, &segment.nonce).hash(h);
                hash_log(log, h);
            }
            Self::Done => 2.hash(h),
        }
    }
}

#[derive(Debug, Clone)]
pub struct World {
    pub table: Rc<Table>,
    pub net: Rc<Vec<Sent>>,
    pub misc: Rc<Misc>,
    pub stopper: Rc<Stopper>,
    pub runners: [Rc<Runner>; RUNNERS],
    pub followers: [Rc<Follower>; FOLLOWERS],
    /// What a step saw go wrong.
    pub fault: Option<&'static str>,
}

impl World {
    pub fn new(config: &Config) -> Self {
        let misc = Misc { budget: config.budget, hub: [NOBODY; PROCESSES], finishing: false, rescue: false };
        Self {
            table: Rc::new(Table::default()),
            net: Rc::default(),
            misc: Rc::new(misc),
            stopper: Rc::new(Stopper::Idle),
            runners: std::array::from_fn(|_| Rc::new(Runner::Idle { puts: 0 })),
            followers: std::array::from_fn(|_| Rc::default()),
            fault: None,
        }
    }

    pub fn table(&mut self) -> &mut Table {
        Rc::make_mut(&mut self.table)
    }
    pub fn misc(&mut self) -> &mut Misc {
        Rc::make_mut(&mut self.misc)
    }
    pub fn budget(&mut self) -> &mut Budget {
        &mut self.misc().budget
    }
    pub fn put_runner(&mut self, r: usize, runner: Runner) {
        self.runners[r] = Rc::new(runner);
    }
    pub fn follower(&mut self, f: usize) -> &mut Follower {
        Rc::make_mut(&mut self.followers[f])
    }
    pub fn post(&mut self, sent: Sent) {
        let net = Rc::make_mut(&mut self.net);
        net.push(sent);
        // The order of what is on its way means nothing.
        net.sort_by(|a, b| (a.seq, &a.segment.nonce).cmp(&(b.seq, &b.segment.nonce)));
    }
}

thread_local! {
    /// Whose nonce is asked for, and which.
    static NONCE: Cell<(u8, u8)> = const { Cell::new((0, 0)) };
}

fn counted() -> String {
    let (who, number) = NONCE.get();
    NONCE.set((who, number + 1));
    format!("{}{number}", char::from(b'a' + who))
}

/// Somebody who appends. The nonces name who appends and count his puts, so that equal states are equal.
/// Gives how many puts there were, after `act`.
pub fn author<T>(who: usize, puts: u8, act: impl FnOnce(Author) -> T) -> (T, u8) {
    NONCE.set((who as u8, puts));
    let done = act(Author { by: By::Web, boot: String::new(), nonce: counted });
    (done, NONCE.get().1)
}

/// Who put a segment.
pub fn who(segment: &Segment) -> u8 {
    segment.nonce.bytes().next().unwrap_or(b'a') - b'a'
}

/// No time passes in the model: any claim may come at any moment, which is every lease, clock and pause.
pub fn now() -> Timestamp {
    Timestamp::from_millis(0)
}

pub fn end(outcome: Outcome, total: u32) -> End {
    let (usage, timing) = (Usage::default(), Timing::default());
    End { outcome, stop_reason: None, error: None, usage, timing, total, left_out: 0 }
}

/// The character that `runner` writes as the `index`th of its claim. Those of later claims have two bytes.
pub fn letter(claim: u32, runner: usize, index: u32) -> char {
    let page = if claim == 0 { 0x40 } else { 0x100 + claim * 64 };
    char::from_u32(page + (runner as u32 % 8) * 8 + index % 8).unwrap_or('?')
}

/// Which claim, runner and index a character names.
pub fn read_letter(c: char) -> (u32, u8, u32) {
    let n = c as u32;
    let (claim, rest) = if n < 0x100 { (0, n - 0x40) } else { ((n - 0x100) / 64, n % 64) };
    (claim, (rest / 8) as u8, rest % 8)
}

/// Text as a person reads it in a trace: `0b1` is claim 0 of runner b, its second character.
pub fn spell(text: &str) -> String {
    let spelt = text.chars().map(|c| {
        let (claim, runner, index) = read_letter(c);
        format!("{claim}{}{index}", char::from(b'a' + runner))
    });
    spelt.collect::<Vec<_>>().join(" ")
}

pub fn text(content: &Content) -> String {
    content.after(0).map(|(_, _, text, _)| text).collect()
}

pub fn push(content: &mut Content, claim: u32, c: char) {
    content.push(claim, PieceKind::Text, c.encode_utf8(&mut [0; 4]));
}

pub fn hash_content<H: Hasher>(content: &Content, h: &mut H) {
    for (claim, _, text, _) in content.after(0) {
        (claim, text).hash(h);
    }
}

/// Enough of a log to tell most apart; equality looks at all of it.
pub fn hash_log<H: Hasher>(log: &Log, h: &mut H) {
    (log.next(), log.bases().len(), log.stop(), log.end().is_some()).hash(h);
    hash_content(log.content(), h);
}

/// A step of somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Runner: reads the log and decides to claim, dropping so many characters.
    ReadsToClaim(usize, u8),
    Claim(usize, Fate),
    /// Runner: a claim was not answered; it looks what stands there.
    LooksForClaim(usize),
    Token(usize),
    Sends(usize, Kind),
    Put(usize, Fate),
    /// Runner: a put was not answered, and is built anew.
    Rebuilds(usize),
    LooksAtNextKey(usize),
    Releases(usize),
    /// Runner: upstream breaks off.
    Breaks(usize),
    ClaimsAgain(usize, u8),
    Compacts(usize),
    Connects(usize, u8),
    LooksAround(usize),
    Takes(usize),
    TakesSomeAndIsCut(usize, usize),
    IsCut(usize),
    Polls(usize, usize),
    ReadsToStop,
    PutsStop(Fate),
    /// Whoever sweeps.
    Sweeps,
    FinishesDeleted,
    Deletes,
    Restores,
    Rescues,
    Purges,
    Arrives(usize),
    Killed(u8),
}

/// What becomes of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Answered,
    /// Done, but its sender is not told.
    AnswerLost,
    /// On its way for any time; its sender takes it to be lost.
    Late,
}

/// How many kinds of steps there are, but for [`Step::Rebuilds`], which breaks a rule.
pub const KINDS: usize = 27;
