//! Compressed bytes as a stream of what they hold. Owns which packings there are, how far one may swell, and what is said
//! when one is damaged: what came before the damage is kept, and a bomb ends at its bound.

use std::io::{self, BufRead, BufReader, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use flate2::bufread::{DeflateDecoder, MultiGzDecoder};
use lzma_rust2::XzReader;

/// Most bytes that one file may unpack to. Windows ends an event log at 4 GiB; a firewall's day is some gigabytes.
pub(super) const UNPACKED_BYTES_MAX: u64 = 16 << 30;

/// How many times its packed size a file may swell to. Logs pack 10 to 100 times; deflate itself ends at 1,032.
const RATIO_MAX: u64 = 250;

/// … but so much is always taken: a new event log is 20 MiB of zeros that pack to nothing.
const UNPACKED_BYTES_FREE: u64 = 64 << 20;

/// Memory that one stream may ask for, in KiB: `xz -9` and `zstd --long` need 64 and 128 MiB.
const MEMORY_KIB_MAX: u32 = 160 << 10;
/// The same as a power of two of bytes, for zstd's window.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// Notes kept of one file.
const NOTES_MAX: usize = 10;

/// A way to pack one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    Gzip,
    Xz,
    Zstd,
    /// Without a frame of its own, as in a zip archive.
    Deflate,
    /// What the explorer of Windows writes for files above 2 GiB.
    Deflate64,
}

impl Packing {
    /// Told by its first bytes, never by a file's name.
    pub(super) fn of(start: &[u8]) -> Option<Self> {
        match start {
            [0x1f, 0x8b, 8, ..] => Some(Self::Gzip),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Self::Xz),
            // A frame, or one of the sixteen marks of a frame to skip.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            _ => None,
        }
    }

    /// Endings that name the packing and not what is inside.
    pub(super) fn endings(self) -> &'static [&'static str] {
        match self {
            Self::Gzip => &["gz"],
            Self::Xz => &["xz"],
            Self::Zstd => &["zst", "zstd"],
            Self::Deflate | Self::Deflate64 => &[],
        }
    }

    fn decoder(self, packed: impl Read + Send + 'static) -> Box<dyn Read + Send> {
        let packed = BufReader::new(packed);
        match self {
            Self::Gzip => Box::new(MultiGzDecoder::new(packed)),
            Self::Xz => Box::new(XzReader::new_mem_limit(packed, true, MEMORY_KIB_MAX)),
            Self::Zstd => zstd(packed).unwrap_or_else(|error| Box::new(Unready(Some(error)))),
            Self::Deflate => Box::new(DeflateDecoder::new(packed)),
            Self::Deflate64 => Box::new(deflate64::Deflate64Decoder::with_buffer(packed)),
        }
    }
}

fn zstd(packed: impl BufRead + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(packed)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
    Ok(Box::new(decoder))
}

/// A decoder that could not be made, for want of memory: reading says so.
struct Unready(Option<io::Error>);

impl Read for Unready {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

/// What is told of a file while it is read: damage, whether the disk itself failed, and how far the disk was read.
#[derive(Clone, Debug, Default)]
pub(super) struct Account(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    read_bytes: AtomicU64,
    notes: Mutex<Vec<String>>,
    /// Reading the disk failed: what a decoder says then is no damage.
    failed: Mutex<Option<io::ErrorKind>>,
    /// It swells beyond its bound.
    bomb: std::sync::atomic::AtomicBool,
}

impl Account {
    pub(super) fn note(&self, text: String) {
        let mut notes = self.0.notes.lock().unwrap_or_else(PoisonError::into_inner);
        if notes.len() < NOTES_MAX && !notes.contains(&text) {
            notes.push(text);
        }
    }

    pub(super) fn notes(&self) -> Vec<String> {
        self.0.notes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Bytes of the file on disk read so far.
    pub(super) fn read_bytes(&self) -> u64 {
        self.0.read_bytes.load(Ordering::Relaxed)
    }

    pub(super) fn is_bomb(&self) -> bool {
        self.0.bomb.load(Ordering::Relaxed)
    }

    fn failure(&self) -> Option<io::ErrorKind> {
        *self.0.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn explode(&self, bound: u64) {
        self.0.bomb.store(true, Ordering::Relaxed);
        let mib = bound >> 20;
        self.note(format!("展開すると上限（{mib} MiB）を超えるため取り込みません（圧縮爆弾の疑い）"));
    }
}

/// The file on disk, with what was read of it counted.
pub(super) struct Disk<R> {
    pub(super) inner: R,
    pub(super) account: Account,
}

impl<R: Read> Read for Disk<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let result = self.inner.read(buffer);
        match &result {
            Ok(read) => {
                self.account.0.read_bytes.fetch_add(*read as u64, Ordering::Relaxed);
            }
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                *self.account.0.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.kind());
            }
            Err(_) => {}
        }
        result
    }
}

/// What a packed stream holds, up to its bound and up to its first damage.
pub(super) struct Unpacked {
    decoder: Box<dyn Read + Send>,
    bound: u64,
    left: u64,
    account: Account,
    ended: bool,
}

impl Unpacked {
    /// `packed_bytes` is how much of the disk the stream stands in.
    pub(super) fn new(
        packing: Packing,
        packed: impl Read + Send + 'static,
        packed_bytes: u64,
        account: &Account,
    ) -> Self {
        let bound = packed_bytes.saturating_mul(RATIO_MAX).clamp(UNPACKED_BYTES_FREE, UNPACKED_BYTES_MAX);
        Self { decoder: packing.decoder(packed), bound, left: bound, account: account.clone(), ended: false }
    }

    /// Nothing more is read; the end of a damaged stream looks like any other.
    fn end(&mut self, note: Option<String>) -> usize {
        self.ended = true;
        if let Some(note) = note {
            self.account.note(note);
        }
        0
    }

    fn fail(&mut self, error: io::Error) -> io::Result<usize> {
        if error.kind() == io::ErrorKind::Interrupted || self.account.failure().is_some() {
            return Err(error);
        }
        let note = match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                "圧縮ファイルが途中で切れています（読めたところまで取り込みました）".to_owned()
            }
            io::ErrorKind::OutOfMemory => "展開に使うメモリが上限を超えるため読めません".to_owned(),
            _ => format!("圧縮データが壊れています（読めたところまで取り込みました: {error}）"),
        };
        Ok(self.end(Some(note)))
    }
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ended || buffer.is_empty() {
            return Ok(0);
        }
        // The decoders are others' work and meet hostile bytes here; one that panics has met damage.
        let outcome = catch_unwind(AssertUnwindSafe(|| self.decoder.read(buffer)));
        match outcome {
            Ok(Ok(0)) => Ok(self.end(None)),
            Ok(Ok(read)) if read as u64 > self.left => {
                self.account.explode(self.bound);
                Ok(self.end(None))
            }
            Ok(Ok(read)) => {
                self.left -= read as u64;
                Ok(read)
            }
            Ok(Err(error)) => self.fail(error),
            Err(_) => Ok(self.end(Some("圧縮データが壊れています（展開を中断しました）".to_owned()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).expect("memory writes");
        encoder.finish().expect("memory writes")
    }

    fn unpack(packed: &[u8]) -> (Vec<u8>, Vec<String>) {
        let packing = Packing::of(packed).expect("packed");
        let account = Account::default();
        let disk = Disk { inner: io::Cursor::new(packed.to_vec()), account: account.clone() };
        let mut found = Vec::new();
        Unpacked::new(packing, disk, packed.len() as u64, &account).read_to_end(&mut found).expect("no failure");
        (found, account.notes())
    }

    /// What xz makes of a line.
    const XZ: [u8; 64] = [
        0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0x00, 0x04, 0xe6, 0xd6, 0xb4, 0x46, 0x02, 0x00, 0x21, 0x01, 0x16, 0x00,
        0x00, 0x00, 0x74, 0x2f, 0xe5, 0xa3, 0x01, 0x00, 0x06, 0xe9, 0x96, 0x80, 0xe7, 0x95, 0xaa, 0x0a, 0x00, 0x00,
        0x25, 0x48, 0x73, 0x40, 0xd4, 0xd8, 0x4e, 0x80, 0x00, 0x01, 0x1f, 0x07, 0x16, 0x2e, 0xb8, 0x73, 0x1f, 0xb6,
        0xf3, 0x7d, 0x01, 0x00, 0x00, 0x00, 0x00, 0x04, 0x59, 0x5a,
    ];
    /// What zstd makes of it.
    const ZSTD: [u8; 20] = [
        0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x58, 0x39, 0x00, 0x00, 0xe9, 0x96, 0x80, 0xe7, 0x95, 0xaa, 0x0a, 0xdc, 0x75,
        0xb2, 0x1e,
    ];

    #[test]
    fn streams_of_the_other_tools() {
        let line = "門番\n".as_bytes().to_vec();
        assert_eq!(unpack(&XZ), (line.clone(), vec![]));
        assert_eq!(unpack(&[XZ, XZ].concat()), (line.repeat(2), vec![]));
        let skipped = [0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
        assert_eq!(unpack(&[&ZSTD[..], &skipped, &ZSTD].concat()), (line.repeat(2), vec![]));
        for packed in [&XZ[..], &ZSTD] {
            let (_, notes) = unpack(&packed[..packed.len() - 14]);
            assert!(notes.len() == 1 && notes[0].contains("途中で切れて"), "{notes:?}");
        }
    }

    #[test]
    fn gzip_members_follow_each_other() {
        assert_eq!(unpack(&[gzip(b"a\n"), gzip(b"b\n")].concat()), (b"a\nb\n".to_vec(), vec![]));
    }

    #[test]
    fn what_came_before_a_cut_is_kept_and_told() {
        let text: Vec<u8> = (0..20_000_u32).flat_map(|number| format!("line {number}\n").into_bytes()).collect();
        let whole = gzip(&text);
        let (found, notes) = unpack(&whole[..whole.len() / 2]);
        assert!(!found.is_empty() && text.starts_with(&found), "{}", found.len());
        assert!(notes.len() == 1 && notes[0].contains("途中で切れて"), "{notes:?}");
    }

    #[test]
    fn a_bomb_ends_at_its_bound() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        io::copy(&mut io::repeat(0).take(UNPACKED_BYTES_FREE + 1), &mut encoder).expect("memory writes");
        let packed = encoder.finish().expect("memory writes");
        let account = Account::default();
        let bytes = packed.len() as u64;
        let mut unpacked = Unpacked::new(Packing::Gzip, io::Cursor::new(packed), bytes.min(100), &account);
        let swollen = io::copy(&mut unpacked, &mut io::sink()).expect("no failure");
        assert!(swollen <= UNPACKED_BYTES_FREE && account.is_bomb(), "{swollen}");
    }

    #[test]
    fn damaged_streams_never_fail_or_panic() {
        for start in [&[0x1f, 0x8b, 8][..], &XZ[..24], &[0x28, 0xb5, 0x2f, 0xfd], &[0x50, 0x2a, 0x4d, 0x18, 9, 0, 0, 0]]
        {
            for filler in [0_u8, 0x55, 0xff] {
                let (_, notes) = unpack(&[start, &vec![filler; 300]].concat());
                assert_eq!(notes.len(), 1, "{start:?} {filler}");
            }
        }
    }
}
