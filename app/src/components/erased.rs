//! Views without their types, lighter in WASM than Leptos's `AnyView`.
//!
//! `AnyView` keeps code for hydrating asynchronously beside that for doing it at once, for each type that it takes in:
//! 15 % of the whole module, and never called, since there is nothing asynchronous in these pages. On the server it is
//! `AnyView` itself, so the HTML is the same.

#[cfg(feature = "ssr")]
pub use leptos::prelude::AnyView as Erased;

#[cfg(not(feature = "ssr"))]
pub use browser::Erased;

use leptos::prelude::*;

/// Forgets a view's type.
pub trait Erase {
    fn erase(self) -> Erased;
}

#[cfg(feature = "ssr")]
impl<T: RenderHtml> Erase for T {
    fn erase(self) -> Erased {
        self.into_any()
    }
}

#[cfg(not(feature = "ssr"))]
impl<T: RenderHtml> Erase for T {
    fn erase(self) -> Erased {
        Erased::new(self.into_owned())
    }
}

#[cfg(not(feature = "ssr"))]
mod browser {
    use std::any::Any;

    use leptos::tachys::{
        html::attribute::any_attribute::AnyAttribute,
        hydration::Cursor,
        no_attrs,
        renderer::types::{Element, Node, Placeholder},
        view::{Mountable, Position, PositionState, Render, RenderHtml},
    };

    /// What is done to a view whose type is forgotten.
    trait View: Send {
        fn build(self: Box<Self>) -> State;
        fn hydrate(self: Box<Self>, cursor: &Cursor, position: &PositionState) -> State;
        /// Into the state if it is of the same type; else the view itself comes back.
        fn rebuild(self: Box<Self>, state: &mut State) -> Option<Box<dyn View>>;
    }

    trait AnyState: Mountable {
        fn any(&mut self) -> &mut dyn Any;
    }

    impl<S: Mountable + 'static> AnyState for S {
        fn any(&mut self) -> &mut dyn Any {
            self
        }
    }

    /// What is kept of a view.
    pub struct State {
        inner: Box<dyn AnyState>,
        /// Of a view that has no node of its own.
        placeholder: Option<Placeholder>,
    }

    struct Typed<T>(T);

    impl<T: RenderHtml + 'static> View for Typed<T> {
        fn build(self: Box<Self>) -> State {
            let placeholder = (!T::EXISTS).then(leptos::tachys::renderer::Rndr::create_placeholder);
            State { inner: Box::new(self.0.build()), placeholder }
        }

        fn hydrate(self: Box<Self>, cursor: &Cursor, position: &PositionState) -> State {
            let inner = Box::new(self.0.hydrate::<true>(cursor, position));
            let placeholder = (!T::EXISTS).then(|| cursor.next_placeholder(position));
            State { inner, placeholder }
        }

        fn rebuild(self: Box<Self>, state: &mut State) -> Option<Box<dyn View>> {
            match (*state.inner).any().downcast_mut::<T::State>() {
                Some(state) => {
                    self.0.rebuild(state);
                    None
                }
                None => Some(self),
            }
        }
    }

    /// A view whose type is forgotten.
    pub struct Erased(Box<dyn View>);

    impl Erased {
        pub(super) fn new(view: impl RenderHtml + 'static) -> Self {
            Self(Box::new(Typed(view)))
        }
    }

    no_attrs!(Erased);

    impl Render for Erased {
        type State = State;

        fn build(self) -> State {
            self.0.build()
        }

        fn rebuild(self, state: &mut State) {
            if let Some(view) = self.0.rebuild(state) {
                let mut new = view.build();
                match &mut state.placeholder {
                    Some(placeholder) => {
                        placeholder.insert_before_this(&mut new);
                        placeholder.unmount();
                    }
                    None => {
                        state.inner.insert_before_this(&mut new);
                    }
                }
                state.inner.unmount();
                *state = new;
            }
        }
    }

    impl RenderHtml for Erased {
        type AsyncOutput = Self;
        type Owned = Self;
        const MIN_LENGTH: usize = 0;

        fn dry_resolve(&mut self) {}

        async fn resolve(self) -> Self {
            self
        }

        // Only the server writes HTML, and there this type does not exist.
        fn to_html_with_buf(self, _: &mut String, _: &mut Position, _: bool, _: bool, _: Vec<AnyAttribute>) {}

        fn hydrate<const FROM_SERVER: bool>(self, cursor: &Cursor, position: &PositionState) -> State {
            self.0.hydrate(cursor, position)
        }

        fn into_owned(self) -> Self {
            self
        }
    }

    impl Mountable for State {
        fn unmount(&mut self) {
            self.inner.unmount();
            if let Some(placeholder) = &mut self.placeholder {
                placeholder.unmount();
            }
        }

        fn mount(&mut self, parent: &Element, marker: Option<&Node>) {
            self.inner.mount(parent, marker);
            if let Some(placeholder) = &mut self.placeholder {
                placeholder.mount(parent, marker);
            }
        }

        fn insert_before_this(&self, child: &mut dyn Mountable) -> bool {
            match &self.placeholder {
                Some(placeholder) => placeholder.insert_before_this(child),
                None => self.inner.insert_before_this(child),
            }
        }

        fn elements(&self) -> Vec<Element> {
            self.inner.elements()
        }
    }
}
