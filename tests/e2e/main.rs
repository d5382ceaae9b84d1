//! The built program from outside: real sockets, real files, real peers, and nothing of its insides but the formats
//! it promises. Every test has a data directory of its own, every listener asks for port 0, and a server that says
//! WARN or ERROR without having been provoked fails its test. Nothing here waits a fixed time: see [`support::wait`].

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod archive;
mod beside;
mod cli;
mod crash;
mod damage;
mod demo;
mod disk;
mod files;
mod hostile;
mod hunt;
mod import;
mod ingest;
mod pages;
mod peers;
mod reindex;
mod serve;
mod support;
mod tls;
mod versions;
mod volume;
mod watch;
