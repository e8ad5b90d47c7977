//! What `scep` and `acme` share: on the client's side the names and files of an enrolment, on the server's the
//! authority, its books and its messages.

pub(crate) mod authority;
pub(crate) mod books;
pub(crate) mod events;
pub(crate) mod names;
pub(crate) mod own;
pub(crate) mod pages;
pub(crate) mod place;
pub(crate) mod profile;
pub(crate) mod running;
