//! The datagrams that the kernel dropped at one socket because its buffer was full. The kernel keeps one running count
//! a socket and tells it in two ways: beside the next datagram (`SO_RXQ_OVFL`), which says nothing until another one
//! comes, and in /proc/net/udp, which can be read at any time. Both readings meet here, so that none counts twice.

use std::fs;
use std::io;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::stat::fstat;

use super::ReceiverStats;

/// The tables of UDP sockets; see proc(5).
const TABLES: [&str; 2] = ["/proc/net/udp", "/proc/net/udp6"];

/// Where in a line of them inode and drops stand.
const INODE_COLUMN: usize = 9;
const DROPS_COLUMN: usize = 12;

/// What has been seen of a socket's count so far.
#[derive(Debug)]
pub(super) struct KernelDrops {
    inode: u64,
    seen: AtomicU32,
}

impl KernelDrops {
    pub(super) fn of(socket: &UdpSocket) -> io::Result<Self> {
        Ok(Self { inode: fstat(socket)?.st_ino, seen: AtomicU32::new(0) })
    }

    /// Takes a reading of the running count, whichever way it came. One that is older than the last changes nothing.
    pub(super) fn advance(&self, count: u32, stats: &ReceiverStats) {
        let newer = |seen: u32| is_newer(count, seen).then_some(count);
        if let Ok(seen) = self.seen.fetch_update(Ordering::Relaxed, Ordering::Relaxed, newer) {
            stats.kernel_dropped(u64::from(count.wrapping_sub(seen)));
        }
    }

    /// Reads the kernel's table. Without one (no /proc in a container) the socket's own word has to do.
    pub(super) fn refresh(&self, stats: &ReceiverStats) {
        let found = TABLES.iter().find_map(|table| drops_in(&fs::read_to_string(table).ok()?, self.inode));
        if let Some(count) = found {
            self.advance(count, stats);
        }
    }
}

/// The count is 32 bits wide and wraps; half of its range ahead is newer, the other half older.
fn is_newer(count: u32, seen: u32) -> bool {
    (1..1 << 31).contains(&count.wrapping_sub(seen))
}

/// The drops of the socket with this inode.
fn drops_in(table: &str, inode: u64) -> Option<u32> {
    let inode = inode.to_string();
    table.lines().find_map(|line| {
        let mut columns = line.split_ascii_whitespace().skip(INODE_COLUMN);
        if columns.next()? != inode {
            return None;
        }
        columns.nth(DROPS_COLUMN - INODE_COLUMN - 1)?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops             \n 1929: 0100007F:A79A 00000000:0000 07 00000000:00001D40 00:00000000 00000000     0        0 4711 2 00000000c880a769 291      \n10641: 00000000:C9A2 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4712 2 00000000df2c9453 0        \n";

    #[test]
    fn a_sockets_drops_stand_in_its_line() {
        assert_eq!(drops_in(TABLE, 4711), Some(291));
        assert_eq!(drops_in(TABLE, 4712), Some(0));
        assert_eq!(drops_in(TABLE, 0), None);
        assert_eq!(drops_in("inode\n4711", 4711), None);
    }

    #[test]
    fn readings_by_both_ways_count_once_and_survive_the_wrap() {
        let (drops, stats) = (KernelDrops { inode: 0, seen: AtomicU32::new(u32::MAX - 1) }, ReceiverStats::default());
        for reading in [u32::MAX, u32::MAX, 4, 2, 4, 5] {
            drops.advance(reading, &stats);
        }
        assert_eq!(stats.counts().kernel_dropped, 7);
    }
}
