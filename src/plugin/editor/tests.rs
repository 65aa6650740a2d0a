//! The window, driven as hands drive it: controls are found by the names that accessibility tools
//! read, and clicked, dragged and typed at.

mod mine;
mod pages;
mod past;
mod window;
