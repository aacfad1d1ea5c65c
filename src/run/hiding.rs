//! What a run's journal must not hold: the connection's secrets, and the passwords in a command or a message
//! (design.md §10). The tool's output and all that is shown are masked where they are told.

use std::sync::Arc;

use crate::journal::Hide;
use crate::migrate::child::{Mask, without_passwords};
use crate::pg::Target;

/// Takes what is secret about this target out of a text.
pub fn secrets_of(target: &Target) -> Hide {
    let mask = Mask::new(&target.secrets());
    Arc::new(move |text| without_passwords(&mask.apply(text)))
}
