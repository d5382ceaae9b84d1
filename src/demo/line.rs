//! Text put together from parts, straight into bytes: the month has a million lines, and each has some twenty parts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Something that can be written into a line.
pub(super) trait Part {
    fn write(&self, out: &mut Vec<u8>);
}

/// Writes parts one after another. A macro, because the parts differ in type and there may be any number of them.
macro_rules! put {
    ($out:expr, $($part:expr),+ $(,)?) => {{ let out: &mut Vec<u8> = $out; $($crate::demo::line::Part::write(&$part, out);)+ }};
}

/// A line made of parts.
macro_rules! text {
    ($($part:expr),+ $(,)?) => {{ let mut out = Vec::with_capacity(320); put!(&mut out, $($part),+); out }};
}

impl Part for &str {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }
}

impl Part for String {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }
}

impl<T: Part> Part for &T {
    fn write(&self, out: &mut Vec<u8>) {
        T::write(self, out);
    }
}

impl Part for u64 {
    fn write(&self, out: &mut Vec<u8>) {
        let (mut rest, start) = (*self, out.len());
        loop {
            out.push(digit(rest));
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        out.get_mut(start..).unwrap_or_default().reverse();
    }
}

impl Part for u32 {
    fn write(&self, out: &mut Vec<u8>) {
        u64::from(*self).write(out);
    }
}

/// The last decimal digit.
fn digit(number: u64) -> u8 {
    b"0123456789".get(usize::try_from(number % 10).unwrap_or(0)).copied().unwrap_or(b'0')
}

/// Two digits, with a leading zero.
pub(super) struct Two(pub(super) u64);
/// Three digits, with leading zeros.
pub(super) struct Three(pub(super) u64);
/// `0x1a2b`, as Windows writes its handles.
pub(super) struct Hex(pub(super) u64);
/// Bytes that are not UTF-8.
pub(super) struct Bytes(pub(super) &'static [u8]);

impl Part for Two {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[digit(self.0 / 10), digit(self.0)]);
    }
}

impl Part for Three {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[digit(self.0 / 100), digit(self.0 / 10), digit(self.0)]);
    }
}

impl Part for Hex {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"0x");
        let digits = (64 - self.0.leading_zeros()).div_ceil(4).max(1);
        for place in (0..digits).rev() {
            let nibble = usize::try_from(self.0 >> (4 * place) & 15).unwrap_or(0);
            out.push(b"0123456789abcdef".get(nibble).copied().unwrap_or(b'0'));
        }
    }
}

impl Part for Bytes {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0);
    }
}

impl Part for Ipv4Addr {
    fn write(&self, out: &mut Vec<u8>) {
        let [a, b, c, d] = self.octets().map(u64::from);
        put!(out, a, ".", b, ".", c, ".", d);
    }
}

impl Part for Ipv6Addr {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.to_string().as_bytes());
    }
}

impl Part for IpAddr {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::V4(ip) => ip.write(out),
            Self::V6(ip) => ip.write(out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_write_what_format_would() {
        let ip: IpAddr = "2001:db8::7".parse().unwrap();
        let made = text!("a", 0_u64, "-", 1_234_567_u64, " ", Two(7), Three(45), " ", Ipv4Addr::new(10, 0, 255, 1), ip);
        assert_eq!(String::from_utf8(made).unwrap(), "a0-1234567 07045 10.0.255.12001:db8::7");
        for number in [0, 1, 15, 16, 0x3e7, u64::MAX] {
            assert_eq!(String::from_utf8(text!(Hex(number))).unwrap(), format!("{number:#x}"));
        }
    }
}
