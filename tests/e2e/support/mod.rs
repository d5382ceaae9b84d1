//! What every test needs: a place with a data directory, the program run as a verb or as a server, waiting.

pub(crate) mod disk;
pub(crate) mod evtx;
pub(crate) mod http;
pub(crate) mod journal;
pub(crate) mod lines;
pub(crate) mod pki;
pub(crate) mod random;
pub(crate) mod server;
pub(crate) mod site;
pub(crate) mod wait;

pub(crate) use server::Server;
pub(crate) use site::Site;
pub(crate) use wait::wait_until;
