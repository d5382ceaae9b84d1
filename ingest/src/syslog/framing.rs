//! Cuts a byte stream into syslog frames. Owns nothing but the bytes of the frame that is being collected; must never
//! parse, never fail and never hold more than one frame.
//!
//! [RFC 6587 §3.4](https://www.rfc-editor.org/rfc/rfc6587#section-3.4) names two framings that share a port: octet
//! counting (`46 <134>1 …`) and a trailer of LF, in the field also NUL. Senders mix them on one connection, so each
//! frame is looked at anew. A count is only believed where a `<` follows its blank: `2026/03/03 …` and
//! `12 files copied` are text.
//!
//! Counts lie: some senders count the LF that follows, some count characters where bytes were meant. A count that is
//! too short leaves the frame's tail at the place where the next count should stand. That tail becomes a frame of its
//! own, and it ends where a whole header (`46 <134>`) is seen, so that one bad count does not swallow the connection.

use memchr::{memchr2, memchr3};
use monban_event::limits::RECORD_BYTES_MAX;

/// Digits of an octet count. Seven reach ten times the longest record kept; a longer number is not a count.
const COUNT_DIGITS_MAX: usize = 7;

/// Bytes that may be missing of a counted frame at the end of a connection without it being called cut: senders that
/// count a trailing LF or CRLF that they do not send.
const MISCOUNT_MAX: usize = 2;

/// One syslog message as it came, without its framing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub bytes: Vec<u8>,
    /// The frame's end is missing here: it was longer than the bound, the connection ended inside it, or it was handed
    /// out before it was whole.
    pub cut: bool,
}

/// Where in the stream we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At the start of a frame; `held` has the digits and the blank of what may be a count.
    Head,
    /// Inside a counted frame, with that many bytes to come.
    Counted { left: usize },
    /// Inside a frame that ends at LF or NUL. `astray` when it began where a count was due.
    Line { astray: bool },
}

/// Collects frames from pieces of a stream. What comes out does not depend on how the stream was cut into pieces.
#[derive(Debug)]
pub struct Framer {
    state: State,
    held: Vec<u8>,
    /// The frame that is collected has lost bytes beyond the bound.
    cut: bool,
    /// The frame before this one was counted.
    after_counted: bool,
    discarded_bytes: u64,
}

impl Default for Framer {
    fn default() -> Self {
        Self { state: State::Head, held: Vec::new(), cut: false, after_counted: false, discarded_bytes: 0 }
    }
}

impl Framer {
    /// Takes the next piece of the stream and appends the frames that it completes.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<Frame>) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let taken = match self.state {
                State::Head => self.take_head(rest),
                State::Counted { left } => self.take_counted(left, rest, out),
                State::Line { astray } => self.take_line(astray, rest, out),
            };
            rest = rest.get(taken..).unwrap_or_default();
        }
    }

    /// The stream has ended: what was collected is a frame too, for a sender may close without a last LF.
    pub fn finish(&mut self, out: &mut Vec<Frame>) {
        if let State::Counted { left } = self.state {
            self.cut |= left > MISCOUNT_MAX;
        }
        self.emit(out, Ending::None);
    }

    /// Bytes beyond the bound that were dropped since the start.
    pub fn discarded_bytes(&self) -> u64 {
        self.discarded_bytes
    }

    /// Hands out what is held of an unfinished frame, marked as cut. What is still to come of it becomes a frame of its
    /// own, so nothing is lost: of a counted frame the bytes that are left, else whatever ends at the next line feed.
    pub fn hand_out(&mut self, out: &mut Vec<Frame>) {
        if self.held.is_empty() {
            return;
        }
        let state = self.state;
        self.cut = true;
        self.emit(out, Ending::None);
        if let State::Counted { .. } = state {
            self.state = state;
        }
    }

    /// Bytes held of an unfinished frame.
    pub fn held_bytes(&self) -> usize {
        self.held.len()
    }

    /// Decides, a byte at a time, whether a count begins here. Returns how many bytes it used.
    fn take_head(&mut self, rest: &[u8]) -> usize {
        let Some(&byte) = rest.first() else { return 0 };
        let may_be_count = match (byte, self.held.last()) {
            (b'\n' | 0, None) => return 1,
            (b'<', Some(b' ')) => return self.begin_counted(),
            (b'0'..=b'9', Some(b'0'..=b'9')) => self.held.len() < COUNT_DIGITS_MAX,
            (b'1'..=b'9', None) | (b' ', Some(b'0'..=b'9')) => true,
            _ => false,
        };
        if may_be_count { self.hold(byte) } else { self.begin_line(byte) }
    }

    fn hold(&mut self, byte: u8) -> usize {
        self.held.push(byte);
        1
    }

    fn begin_counted(&mut self) -> usize {
        let digits = self.held.get(..self.held.len().saturating_sub(1)).unwrap_or_default();
        self.state = State::Counted { left: number(digits) };
        self.held.clear();
        0
    }

    fn begin_line(&mut self, byte: u8) -> usize {
        let astray = self.after_counted && (byte != b'<' || !self.held.is_empty());
        self.state = State::Line { astray };
        0
    }

    fn take_counted(&mut self, left: usize, rest: &[u8], out: &mut Vec<Frame>) -> usize {
        let taken = left.min(rest.len());
        self.keep(rest.get(..taken).unwrap_or_default());
        self.state = State::Counted { left: left - taken };
        if taken == left {
            self.emit(out, Ending::Counted);
            self.after_counted = true;
        }
        taken
    }

    fn take_line(&mut self, astray: bool, rest: &[u8], out: &mut Vec<Frame>) -> usize {
        let end = if astray { memchr3(b'\n', 0, b'>', rest) } else { memchr2(b'\n', 0, rest) };
        let Some(end) = end else {
            self.keep(rest);
            return rest.len();
        };
        self.keep(rest.get(..end).unwrap_or_default());
        match rest.get(end) {
            Some(b'>') => {
                self.keep(b">");
                self.resume_count(out);
            }
            ending => {
                self.emit(out, if ending == Some(&b'\n') { Ending::LineFeed } else { Ending::None });
                self.after_counted = false;
            }
        }
        end + 1
    }

    /// Appends to the frame as far as the bound allows.
    fn keep(&mut self, bytes: &[u8]) {
        let room = RECORD_BYTES_MAX.saturating_sub(self.held.len()).min(bytes.len());
        let (kept, dropped) = bytes.split_at(room);
        self.held.extend_from_slice(kept);
        self.cut |= !dropped.is_empty();
        self.discarded_bytes += dropped.len() as u64;
    }

    /// A `>` came while astray: where it closes `46 <134>`, the frame ended before that count.
    fn resume_count(&mut self, out: &mut Vec<Frame>) {
        let Some(header) = header_at_end(&self.held).filter(|_| !self.cut) else { return };
        let next = self.held.split_off(header.priority_at);
        let Some(left) = header.count.checked_sub(next.len()) else {
            self.held.extend_from_slice(&next);
            return;
        };
        self.held.truncate(header.count_at);
        self.emit(out, Ending::None);
        self.held = next;
        self.state = State::Counted { left };
        if left == 0 {
            self.emit(out, Ending::Counted);
        }
        self.after_counted = true;
    }

    /// Hands the frame out without its trailer. A blank line is no frame.
    fn emit(&mut self, out: &mut Vec<Frame>, ending: Ending) {
        let mut bytes = std::mem::take(&mut self.held);
        let length = match ending {
            Ending::None => bytes.len(),
            Ending::LineFeed => bytes.strip_suffix(b"\r").unwrap_or(&bytes).len(),
            Ending::Counted => without_trailer(&bytes).len(),
        };
        bytes.truncate(length);
        if !is_blank(&bytes) {
            out.push(Frame { bytes, cut: self.cut });
        }
        self.cut = false;
        self.state = State::Head;
    }
}

/// How a frame ended, which says what of its last bytes is framing. Everything else is kept as it came.
#[derive(Clone, Copy)]
enum Ending {
    /// At a line feed that has been taken off: a CR before it belongs to it.
    LineFeed,
    /// Where its count said. Many senders count the trailer of a line too.
    Counted,
    /// At a NUL, or inside: all of it is the message.
    None,
}

/// Without one trailer: LF, CRLF or NUL, or one of these and a NUL (some count the NUL of their C string).
fn without_trailer(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    let Some(line) = bytes.strip_suffix(b"\n") else { return bytes };
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    line.strip_suffix(b"\0").unwrap_or(line)
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b'\n' | b'\r' | 0))
}

/// The bytes of a datagram without a trailer and without an octet count that a sender left in from its TCP code.
pub fn datagram_body(bytes: &[u8]) -> &[u8] {
    let body = without_trailer(bytes);
    if is_blank(body) {
        return &[];
    }
    let digits = body.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let Some(rest) = body.get(digits + 1..).filter(|rest| rest.starts_with(b"<")) else { return body };
    let counted = body.get(digits) == Some(&b' ')
        && (1..=COUNT_DIGITS_MAX).contains(&digits)
        && (rest.len()..=bytes.len()).contains(&number(body.get(..digits).unwrap_or_default()));
    if counted { rest } else { body }
}

struct Header {
    count_at: usize,
    priority_at: usize,
    count: usize,
}

/// Finds `[1-9][0-9]{0,6} <[0-9]{1,3}>` at the very end of `bytes`.
fn header_at_end(bytes: &[u8]) -> Option<Header> {
    let before = bytes.strip_suffix(b">")?;
    let before = strip_digits(before, 3)?.strip_suffix(b" <")?;
    let start = strip_digits(before, COUNT_DIGITS_MAX)?.len();
    let zeros = before.get(start..)?.iter().take_while(|&&byte| byte == b'0').count();
    let digits = before.get(start + zeros..)?;
    if digits.is_empty() {
        return None;
    }
    Some(Header { count_at: start + zeros, priority_at: before.len() + 1, count: number(digits) })
}

/// Without its one to `most` last digits; `None` where there is no digit.
fn strip_digits(bytes: &[u8], most: usize) -> Option<&[u8]> {
    let digits = bytes.iter().rev().take(most).take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 { None } else { bytes.get(..bytes.len() - digits) }
}

/// At most [`COUNT_DIGITS_MAX`] digits, so it cannot overflow.
fn number(digits: &[u8]) -> usize {
    digits.iter().fold(0, |number, digit| number * 10 + usize::from(digit - b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames_of(pieces: &[&[u8]]) -> Vec<Frame> {
        let mut framer = Framer::default();
        let mut frames = Vec::new();
        for piece in pieces {
            framer.push(piece, &mut frames);
        }
        framer.finish(&mut frames);
        frames
    }

    fn check(stream: &str, expect: &[&str]) {
        let frames = frames_of(&[stream.as_bytes()]);
        let texts: Vec<_> = frames.iter().map(|frame| String::from_utf8_lossy(&frame.bytes).into_owned()).collect();
        assert_eq!(texts, expect, "{stream:?}");
    }

    #[test]
    fn both_framings_on_one_connection() {
        check("<13>a\n<13>b\r\n<13>c", &["<13>a", "<13>b", "<13>c"]);
        check("5 <13>a6 <13>bc", &["<13>a", "<13>bc"]);
        check("5 <13>a<13>line\n5 <13>b", &["<13>a", "<13>line", "<13>b"]);
        check("<13>a\0<13>b\0", &["<13>a", "<13>b"]);
    }

    #[test]
    fn carriage_returns_that_are_no_trailer_are_kept() {
        check("\r<13>a\r\r\n<13>b\r\0<13>\r", &["\r<13>a\r", "<13>b\r", "<13>\r"]);
        check("7 <13>a\r\r5 <13>b", &["<13>a\r\r", "<13>b"]);
    }

    #[test]
    fn a_frame_handed_out_early_goes_on_as_another_one() {
        let mut framer = Framer::default();
        let mut frames = Vec::new();
        for piece in [&b"11 <13>abc"[..], b"def45 <13>x<13>li", b"", b"ne\n4", b"6 <13>y\n"] {
            framer.push(piece, &mut frames);
            framer.hand_out(&mut frames);
        }
        framer.finish(&mut frames);
        let texts: Vec<_> =
            frames.iter().map(|frame| (String::from_utf8_lossy(&frame.bytes).into_owned(), frame.cut)).collect();
        let expect =
            [("<13>abc", true), ("def4", false), ("<13>x", false), ("<13>li", true), ("ne", false), ("4", true)];
        let rest = [("<13>y", false)];
        let expect: Vec<_> = expect.iter().chain(&rest).map(|(text, cut)| ((*text).to_owned(), *cut)).collect();
        assert_eq!(texts, expect);
    }

    #[test]
    fn a_counted_frame_keeps_its_line_feeds() {
        check("9 <13>a\nb\nc<13>d\n", &["<13>a\nb\nc", "<13>d"]);
    }

    #[test]
    fn counts_that_include_the_trailer() {
        check("6 <13>a\n6 <13>b\n", &["<13>a", "<13>b"]);
        check("7 <13>a\r\n5 <13>b\n5 <13>c", &["<13>a", "<13>b", "<13>c"]);
    }

    #[test]
    fn digits_without_a_priority_are_text() {
        check("2026/03/03 09:00:00 ok\n<13>b\n", &["2026/03/03 09:00:00 ok", "<13>b"]);
        check("12 files copied\n0 <13>a\n12345678 <13>b\n7", &["12 files copied", "0 <13>a", "12345678 <13>b", "7"]);
    }

    #[test]
    fn empty_frames_are_dropped() {
        check("\n\n\r\n\0<13>a\n\n", &["<13>a"]);
        check("", &[]);
        check("2 <\n5 <13>a", &["<", "<13>a"]);
    }

    #[test]
    fn a_count_that_lies_does_not_swallow_the_connection() {
        // 山 is three bytes; this sender counted characters.
        check("6 <13>山a5 <13>b5 <13>c", &["<13>\u{fffd}", "\u{fffd}a", "<13>b", "<13>c"]);
        // This one forgot the priority, and its text has a `>` of its own.
        check("2 <13>a -> b5 <13>b", &["<1", "3>a -> b", "<13>b"]);
        check("7 <13>a5 <13>b<13>c\n", &["<13>a5 ", "<13>b<13>c"]);
    }

    #[test]
    fn a_count_beyond_the_end_is_cut_unless_only_the_trailer_is_missing() {
        assert_eq!(frames_of(&[b"9 <13>abc"]), [Frame { bytes: b"<13>abc".to_vec(), cut: false }]);
        assert_eq!(frames_of(&[b"99 <13>abc"]), [Frame { bytes: b"<13>abc".to_vec(), cut: true }]);
    }

    #[test]
    fn long_frames_are_cut_and_the_next_one_is_whole() {
        for head in [String::new(), format!("{} ", RECORD_BYTES_MAX + 1000)] {
            let mut stream = format!("{head}<13>").into_bytes();
            stream.resize(head.len() + RECORD_BYTES_MAX + 1000, b'A');
            stream.extend_from_slice(b"\n<13>next\n");
            let mut framer = Framer::default();
            let mut frames = Vec::new();
            for piece in stream.chunks(7000) {
                framer.push(piece, &mut frames);
                assert!(framer.held_bytes() <= RECORD_BYTES_MAX);
            }
            assert_eq!(framer.discarded_bytes(), 1000);
            assert_eq!(frames.len(), 2);
            assert!(frames[0].cut && frames[0].bytes.len() == RECORD_BYTES_MAX);
            assert_eq!(frames[1], Frame { bytes: b"<13>next".to_vec(), cut: false });
        }
    }

    /// Every way to cut these streams in three, and byte by byte.
    #[test]
    fn framing_is_independent_of_how_bytes_were_split() {
        let streams: [&[u8]; 6] = [
            b"5 <13>a<13>line\n\n12 dogs\n6 <13>b\n9 <13>a\nb\nc",
            b"4 <13>tail5 <13>x7 <13> y\n<1>z\0\0 <2>q",
            b"6 <13>\xe5\xb1\xb1a5 <13>b10012 <13>never",
            b"2026/03/03 x\r\n\r\n99999999 <1>a\n007 <13>b\n7 <",
            b"3 <13>5 <13>12 <1>3 <13>0 <13>12 <999>999999 <13>",
            b"\0\0\n5 <13>\n\n\n\n 5 <13>a>>5 <1>>>\n",
        ];
        for stream in streams {
            let whole = frames_of(&[stream]);
            let bytes: Vec<&[u8]> = stream.chunks(1).collect();
            assert_eq!(frames_of(&bytes), whole);
            for first in 0..=stream.len() {
                for second in first..=stream.len() {
                    assert_eq!(frames_of(&[&stream[..first], &stream[first..second], &stream[second..]]), whole);
                }
            }
        }
    }

    /// Random bytes from an alphabet that is all borders, in random pieces.
    #[test]
    fn streams_made_of_borders_do_not_depend_on_their_pieces() {
        let mut seed = 7_u64;
        let mut next = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(seed >> 33).unwrap() % below
        };
        for _ in 0..3000 {
            let stream: Vec<u8> = (0..next(80)).map(|_| b"<>123 \n\0\ra0"[next(11)]).collect();
            let mut pieces = Vec::new();
            let mut rest = &stream[..];
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(1 + next(rest.len()));
                pieces.push(piece);
                rest = after;
            }
            assert_eq!(frames_of(&pieces), frames_of(&[&stream]), "{:?}", String::from_utf8_lossy(&stream));
        }
    }

    #[test]
    fn a_datagram_is_one_frame() {
        for (bytes, expect) in [
            (&b"<13>a\n"[..], &b"<13>a"[..]),
            (b"<13>a\0", b"<13>a"),
            (b"5 <13>a", b"<13>a"),
            (b"6 <13>a\n", b"<13>a"),
            (b"9 <13>a", b"9 <13>a"),
            (b"<13>a\nb", b"<13>a\nb"),
            (b"<13>a\r\n\0", b"<13>a"),
            (b"<13>a\r\r\n", b"<13>a\r"),
            (b"\r<13>a\r", b"\r<13>a\r"),
            (b"\n\0", b""),
            (b"\0\0\r\n", b""),
            (b"", b""),
            (b"12", b"12"),
        ] {
            assert_eq!(datagram_body(bytes), expect);
        }
    }
}
