//! The browser's entry: brings the page that the server rendered to life.

use wasm_bindgen::prelude::wasm_bindgen;

/// Called by the page's boot module once the WebAssembly is there.
#[wasm_bindgen]
pub fn hydrate() {
    // A page without data (the one that grows without JavaScript) stays as it is.
    if let Some(data) = app::browser::page_data() {
        leptos::mount::hydrate_body(move || app::pages::app(&data, &app::page::Fixed::default()));
    }
}
