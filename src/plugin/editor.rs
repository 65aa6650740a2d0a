//! The editor.

use std::sync::Arc;

use super::desk::Desk;
use super::params::HostParams;

/// The editor's type.
pub type Editor = ();

/// No editor yet.
pub fn editor(_desk: Arc<Desk>, _params: Arc<HostParams>) -> Option<Editor> {
    None
}
