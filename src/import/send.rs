//! Records of a file into the journal, in slices that neither hold much memory nor delay what devices send meanwhile.

use std::io;
use std::sync::mpsc;

use monban_event::{Lane, Record, RecordId, RecordSink, SinkRefused};
use monban_index::fail;
use monban_ingest::file::FileRecords;

use crate::node::Node;

/// Records handed to the journal at once.
const SLICE_RECORDS: usize = 500;
/// … or bytes, where records are EVTX chunks.
const SLICE_BYTES: usize = 4 << 20;
/// Slices that may wait for the journal: enough to keep it busy, little enough to stay small in memory.
const SLICES_IN_FLIGHT: usize = 4;

/// Sends every record from index `skip` on, and returns when all are durable. Gives the error that ended the file
/// early, if one did: what came before it is journaled. `moved` hears how far the file on disk was read, and says whether
/// to go on.
pub(super) fn send_all(
    node: &Node,
    records: &mut FileRecords,
    skip: u64,
    moved: &mut dyn FnMut(u64) -> bool,
) -> Result<Option<io::Error>, SinkRefused> {
    let (done, acknowledged) = mpsc::channel();
    let (mut slice, mut bytes, mut in_flight, mut unread) = (Vec::new(), 0, 0, None);
    while let Some(record) = records.next() {
        match record {
            Ok(record) if record.file.as_ref().is_some_and(|file| file.index < skip) => {}
            Ok(record) => {
                bytes += record.bytes.len();
                slice.push(record);
            }
            Err(error) => {
                unread = Some(error);
                break;
            }
        }
        if slice.len() >= SLICE_RECORDS || bytes >= SLICE_BYTES {
            send(node, std::mem::take(&mut slice), &done);
            (bytes, in_flight) = (0, in_flight + 1);
            if !moved(records.read_bytes()) {
                break;
            }
        }
        while in_flight >= SLICES_IN_FLIGHT {
            wait(&acknowledged)?;
            in_flight -= 1;
        }
    }
    send(node, slice, &done);
    for _ in 0..=in_flight {
        wait(&acknowledged)?;
    }
    Ok(unread)
}

type Acknowledgement = Result<RecordId, SinkRefused>;

fn send(node: &Node, records: Vec<Record>, done: &mpsc::Sender<Acknowledgement>) {
    fail::pass("import.slice");
    let done = done.clone();
    let tell = move |result| {
        // Nobody listens any more when the import gave up; the records are safe all the same.
        drop(done.send(result));
    };
    node.journal.submit(Lane::Imports, records, Box::new(tell));
}

fn wait(acknowledged: &mpsc::Receiver<Acknowledgement>) -> Result<(), SinkRefused> {
    acknowledged.recv().unwrap_or(Err(SinkRefused::Closed)).map(|_| ())
}
