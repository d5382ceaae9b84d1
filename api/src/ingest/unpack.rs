//! A body as its bytes were before they were packed, never more of them than the bounds allow. Only some 100 KiB of a
//! packed body are held, and the window of its packing.

use std::io::{self, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::media::Coding;
use super::refused::Refused;
use crate::limits::{EXPANSION_RATIO_MAX, ZSTD_WINDOW_LOG_MAX};

/// How much a body may become.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expansion {
    pub(super) bytes_max: u64,
    /// Up to here the ratio is not asked.
    pub(super) free_bytes: u64,
}

/// Bytes given out at once.
const BUFFER_BYTES: usize = 64 * 1024;

pub(super) type Unpacked = BufReader<Bounded>;

pub(super) fn unpack(wire: impl Read + Send + 'static, coding: Coding, bound: Expansion) -> io::Result<Unpacked> {
    let taken = Arc::new(AtomicU64::new(0));
    let wire = Counted { wire, taken: Arc::clone(&taken) };
    let plain: Box<dyn Read + Send> = match coding {
        Coding::Plain => Box::new(wire),
        Coding::Gzip => Box::new(flate2::read::MultiGzDecoder::new(wire)),
        Coding::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::new(wire)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
            Box::new(decoder)
        }
    };
    Ok(BufReader::with_capacity(BUFFER_BYTES, Bounded { plain, taken, given: 0, bound }))
}

/// Counts what came over the wire.
struct Counted<R> {
    wire: R,
    taken: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.wire.read(buffer)?;
        self.taken.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

pub(super) struct Bounded {
    plain: Box<dyn Read + Send>,
    taken: Arc<AtomicU64>,
    given: u64,
    bound: Expansion,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.plain.read(buffer)?;
        self.given += read as u64;
        if self.given > self.bound.bytes_max {
            return Err(Refused::BodyTooLong(self.bound.bytes_max).into());
        }
        let allowed = self.taken.load(Ordering::Relaxed).saturating_mul(EXPANSION_RATIO_MAX);
        if self.given > self.bound.free_bytes && self.given > allowed {
            return Err(Refused::Expands.into());
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Cursor, Write};

    const BOUND: Expansion = Expansion { bytes_max: 4 << 20, free_bytes: 1 << 20 };

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 3).unwrap()
    }

    fn read(packed: Vec<u8>, coding: Coding) -> Result<Vec<u8>, Refused> {
        let mut bytes = Vec::new();
        unpack(Cursor::new(packed), coding, BOUND)?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Text that packs about as well as logs do.
    fn text(lines: u32) -> Vec<u8> {
        (0..lines).flat_map(|number| format!("<134>user=yamada number={}\n", number ^ 0x5A5A).into_bytes()).collect()
    }

    #[test]
    fn what_was_packed_comes_out_and_several_pieces_are_one_body() {
        let text = text(5000);
        for (coding, packed) in
            [(Coding::Plain, text.clone()), (Coding::Gzip, gzip(&text)), (Coding::Zstd, zstd(&text))]
        {
            assert_eq!(read(packed, coding).unwrap(), text, "{coding:?}");
        }
        let twice = [text.clone(), text.clone()].concat();
        assert_eq!(read([gzip(&text), gzip(&text)].concat(), Coding::Gzip).unwrap(), twice);
        assert_eq!(read([zstd(&text), zstd(&text)].concat(), Coding::Zstd).unwrap(), twice);
    }

    #[test]
    fn damaged_and_cut_bodies_are_undecodable() {
        let text = text(5000);
        for (coding, packed) in [(Coding::Gzip, gzip(&text)), (Coding::Zstd, zstd(&text))] {
            for end in [0, 3, 20, packed.len() / 2, packed.len() - 1] {
                let cut = read(packed[..end].to_vec(), coding);
                // Nothing at all is zstd of nothing; an empty body is refused for being empty.
                let fine = end == 0 && coding == Coding::Zstd;
                assert!(fine || matches!(cut, Err(Refused::Undecodable(_))), "{coding:?} {end} {cut:?}");
            }
            assert!(matches!(read(text.clone(), coding), Err(Refused::Undecodable(_))));
            let mut torn = packed.clone();
            let middle = torn.len() / 2;
            torn[middle..middle + 8].fill(0xFF);
            assert!(read(torn, coding).is_err(), "{coding:?}");
        }
    }

    #[test]
    fn bombs_end_at_the_bounds() {
        let zeros = vec![0; 8 << 20];
        for (coding, packed) in [(Coding::Gzip, gzip(&zeros)), (Coding::Zstd, zstd(&zeros))] {
            assert!(matches!(read(packed, coding), Err(Refused::Expands)), "{coding:?}");
        }
        assert_eq!(read(gzip(&zeros[..1 << 20]), Coding::Gzip).unwrap().len(), 1 << 20, "small bodies may");
        assert!(matches!(read(text(200_000), Coding::Plain), Err(Refused::BodyTooLong(_))));
        assert!(matches!(read(gzip(&text(200_000)), Coding::Gzip), Err(Refused::BodyTooLong(_))));
    }

    #[test]
    fn a_window_beyond_the_bound_is_refused() {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
        encoder.window_log(24).unwrap();
        encoder.include_contentsize(false).unwrap();
        encoder.write_all(&text(100)).unwrap();
        assert!(matches!(read(encoder.finish().unwrap(), Coding::Zstd), Err(Refused::Undecodable(_))));
    }
}
