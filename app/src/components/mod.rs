//! The parts of the page. They show what [`crate::pages::state`] holds; what happens on a click, a key or an event
//! is in [`crate::browser`].

pub mod ask;
pub mod bar;
pub mod composer;
pub mod empty;
pub mod erased;
pub mod html;
pub mod icons;
pub mod keys;
pub mod notices;
pub mod prose;
pub mod reply;
pub mod sidebar;
pub mod state;
pub mod transcript;
pub mod words;
