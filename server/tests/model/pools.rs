//! States, small: each part is kept once, and a state is the numbers of its parts. Nothing is told apart by a hash alone.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hash, Hasher},
    rc::Rc,
};

use crate::{follower::Follower, runner::Runner, table::Table, world::*};

/// A fast hash; the sets compare for equality, so it only has to spread.
#[derive(Default)]
pub struct Fast(u64);

impl Fast {
    fn add(&mut self, n: u64) {
        self.0 = (self.0.rotate_left(5) ^ n).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

impl Hasher for Fast {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut n = [0; 8];
            n[..chunk.len()].copy_from_slice(chunk);
            self.add(u64::from_le_bytes(n));
        }
    }
    fn write_u8(&mut self, n: u8) {
        self.add(n.into());
    }
    fn write_u32(&mut self, n: u32) {
        self.add(n.into());
    }
    fn write_u64(&mut self, n: u64) {
        self.add(n);
    }
    fn write_usize(&mut self, n: usize) {
        self.add(n as u64);
    }
}

pub type Spread = BuildHasherDefault<Fast>;

/// Parts of states, each kept once: a state is the numbers of its parts.
pub struct Pool<T> {
    numbers: HashMap<Rc<T>, u32, Spread>,
    parts: Vec<Rc<T>>,
}

impl<T: Hash + Eq> Pool<T> {
    fn new() -> Self {
        Self { numbers: HashMap::default(), parts: Vec::new() }
    }
    pub fn number(&mut self, part: &Rc<T>) -> u32 {
        if let Some(number) = self.numbers.get(part) {
            return *number;
        }
        let number = self.parts.len() as u32;
        self.numbers.insert(Rc::clone(part), number);
        self.parts.push(Rc::clone(part));
        number
    }
    pub fn part(&self, number: u32) -> Rc<T> {
        Rc::clone(&self.parts[number as usize])
    }
}

pub type Key = [u32; 4 + RUNNERS + FOLLOWERS];

pub struct Pools {
    tables: Pool<Table>,
    nets: Pool<Vec<Sent>>,
    miscs: Pool<Misc>,
    stoppers: Pool<Stopper>,
    runners: Pool<Runner>,
    followers: Pool<Follower>,
}

impl Pools {
    pub fn new() -> Self {
        Self {
            tables: Pool::new(),
            nets: Pool::new(),
            miscs: Pool::new(),
            stoppers: Pool::new(),
            runners: Pool::new(),
            followers: Pool::new(),
        }
    }

    /// The state's key. What it shares with `near` need not be looked up.
    pub fn key(&mut self, w: &World, near: Option<(&World, &Key)>) -> Key {
        fn one<T: Hash + Eq>(pool: &mut Pool<T>, part: &Rc<T>, near: Option<(&Rc<T>, u32)>) -> u32 {
            match near {
                Some((same, number)) if Rc::ptr_eq(same, part) => number,
                _ => pool.number(part),
            }
        }
        let mut key = [0; 4 + RUNNERS + FOLLOWERS];
        key[0] = one(&mut self.tables, &w.table, near.map(|(n, k)| (&n.table, k[0])));
        key[1] = one(&mut self.nets, &w.net, near.map(|(n, k)| (&n.net, k[1])));
        key[2] = one(&mut self.miscs, &w.misc, near.map(|(n, k)| (&n.misc, k[2])));
        key[3] = one(&mut self.stoppers, &w.stopper, near.map(|(n, k)| (&n.stopper, k[3])));
        for r in 0..RUNNERS {
            key[4 + r] = one(&mut self.runners, &w.runners[r], near.map(|(n, k)| (&n.runners[r], k[4 + r])));
        }
        for f in 0..FOLLOWERS {
            let at = 4 + RUNNERS + f;
            key[at] = one(&mut self.followers, &w.followers[f], near.map(|(n, k)| (&n.followers[f], k[at])));
        }
        key
    }

    pub fn world(&self, key: &Key) -> World {
        World {
            table: self.tables.part(key[0]),
            net: self.nets.part(key[1]),
            misc: self.miscs.part(key[2]),
            stopper: self.stoppers.part(key[3]),
            runners: std::array::from_fn(|r| self.runners.part(key[4 + r])),
            followers: std::array::from_fn(|f| self.followers.part(key[4 + RUNNERS + f])),
            fault: None,
        }
    }
}

/// All states that were met, in the order in which they were, each with the one it came from.
#[derive(Default)]
pub struct Met {
    pub keys: Vec<Key>,
    pub from: Vec<u32>,
    /// Open addressing over `keys`; 0 is free.
    slots: Vec<u32>,
}

impl Met {
    /// False if it was met before.
    pub fn add(&mut self, key: Key, from: u32) -> bool {
        if self.keys.len() * 2 >= self.slots.len() {
            self.grow();
        }
        let mut at = self.slot(&key);
        loop {
            match self.slots[at] {
                0 => break,
                n if self.keys[n as usize - 1] == key => return false,
                _ => at = (at + 1) & (self.slots.len() - 1),
            }
        }
        self.keys.push(key);
        self.from.push(from);
        self.slots[at] = self.keys.len() as u32;
        true
    }
    fn slot(&self, key: &Key) -> usize {
        let mut hash = Fast::default();
        key.iter().for_each(|n| hash.add((*n).into()));
        hash.finish() as usize & (self.slots.len() - 1)
    }
    fn grow(&mut self) {
        self.slots = vec![0; (self.slots.len() * 2).max(1 << 16)];
        for n in 0..self.keys.len() {
            let mut at = self.slot(&self.keys[n]);
            while self.slots[at] != 0 {
                at = (at + 1) & (self.slots.len() - 1);
            }
            self.slots[at] = n as u32 + 1;
        }
    }
}
