//! From binary to JSON text.

use super::buffer::Buffer;
use super::error::DecodeError;
use super::scanner::find_special;
use super::{MAX_DEPTH, Node, NodeId, Plan, RecordPlan, UnionPlan};

type Result<T> = std::result::Result<T, DecodeError>;

/// How long a text may become, whatever the length of its datum.
const MAX_TEXT: usize = 64 << 20;

/// How much longer than its datum a text may become beyond that.
const MAX_GROWTH: usize = 16;

/// How many items of no bytes, such as nulls, arrays may hold in all: their
/// number is bounded by nothing else.
const MAX_EMPTY_ITEMS: usize = 1 << 16;

pub(super) struct Decoder<'a, B> {
    plan: &'a Plan,
    datum: &'a [u8],
    at: usize,
    out: &'a mut B,
    /// The length that `out` may grow to.
    limit: usize,
    depth: usize,
    empty_items: usize,
}

impl<'a, B: Buffer> Decoder<'a, B> {
    pub(super) fn new(plan: &'a Plan, datum: &'a [u8], out: &'a mut B) -> Self {
        let limit = MAX_TEXT.max(datum.len().saturating_mul(MAX_GROWTH)).saturating_add(out.len());
        Self { plan, datum, at: 0, out, limit, depth: 0, empty_items: 0 }
    }

    pub(super) fn run(mut self) -> Result<usize> {
        self.value(self.plan.root)?;
        Ok(self.at)
    }

    fn value(&mut self, node: NodeId) -> Result<()> {
        match self.plan.at(node) {
            Node::String => {
                let bytes = self.sized()?;
                self.text(bytes)
            }
            Node::Long => {
                let value = self.long()?;
                self.integer(value);
                Ok(())
            }
            Node::Int => {
                let start = self.at;
                let value = self.long()?;
                if i32::try_from(value).is_err() {
                    return Err(DecodeError::new("a number beyond an int", start));
                }
                self.integer(value);
                Ok(())
            }
            Node::Union(plan) => self.union(plan),
            Node::Record(plan) => self.nested(|decoder| decoder.record(plan)),
            Node::Null => {
                self.out.extend(b"null");
                Ok(())
            }
            Node::Boolean => {
                match self.take(1)? {
                    [0] => self.out.extend(b"false"),
                    [1] => self.out.extend(b"true"),
                    _ => return Err(DecodeError::new("neither true nor false", self.at - 1)),
                }
                Ok(())
            }
            Node::Float => {
                let bytes = self.take(4)?.try_into().unwrap_or_default();
                let value = f32::from_le_bytes(bytes);
                if value.is_finite() {
                    self.out.extend(ryu::Buffer::new().format_finite(value).as_bytes());
                } else {
                    self.not_finite(f64::from(value));
                }
                Ok(())
            }
            Node::Double => {
                let bytes = self.take(8)?.try_into().unwrap_or_default();
                let value = f64::from_le_bytes(bytes);
                if value.is_finite() {
                    self.out.extend(ryu::Buffer::new().format_finite(value).as_bytes());
                } else {
                    self.not_finite(value);
                }
                Ok(())
            }
            Node::Bytes => {
                let bytes = self.sized()?;
                write_latin1(bytes, self.out);
                Ok(())
            }
            Node::Fixed { size, .. } => {
                let bytes = self.take(*size)?;
                write_latin1(bytes, self.out);
                Ok(())
            }
            Node::Enum(plan) => {
                let start = self.at;
                let place = self.long()?;
                let symbol = usize::try_from(place).ok().and_then(|place| plan.symbols.get(place));
                match symbol {
                    Some(symbol) => self.out.extend(&symbol.json),
                    None => {
                        let problem = format!("{} has no symbol {place}", plan.name);
                        return Err(DecodeError::new(problem, start));
                    }
                }
                Ok(())
            }
            Node::Array(items) => self.nested(|decoder| decoder.array(*items)),
            Node::Map(values) => self.nested(|decoder| decoder.map(*values)),
        }
    }

    fn nested(&mut self, decode: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        if self.depth == MAX_DEPTH {
            return Err(DecodeError::new("nested too deep", self.at));
        }
        if self.out.len() > self.limit {
            return Err(DecodeError::new("the text of the datum becomes too long", self.at));
        }
        self.depth += 1;
        decode(self)?;
        self.depth -= 1;
        Ok(())
    }

    fn record(&mut self, plan: &RecordPlan) -> Result<()> {
        self.out.push(b'{');
        for (index, field) in plan.fields.iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            self.out.extend(&field.name.json);
            self.out.push(b':');
            self.value(field.node).map_err(|error| error.inside(&field.name.text))?;
        }
        self.out.push(b'}');
        Ok(())
    }

    fn union(&mut self, plan: &UnionPlan) -> Result<()> {
        let start = self.at;
        let place = self.long()?;
        let Some((place, branch)) =
            usize::try_from(place).ok().and_then(|place| Some((place, plan.branches.get(place)?)))
        else {
            let problem = format!("the union has {} branches, not {place}", plan.branches.len());
            return Err(DecodeError::new(problem, start));
        };
        if plan.null == Some(place) {
            self.out.extend(b"null");
            return Ok(());
        }
        self.out.push(b'{');
        self.out.extend(&branch.name.json);
        self.out.push(b':');
        self.value(branch.node)?;
        self.out.push(b'}');
        Ok(())
    }

    fn array(&mut self, items: NodeId) -> Result<()> {
        self.out.push(b'[');
        let mut index = 0;
        self.blocks(|decoder| {
            if index > 0 {
                decoder.out.push(b',');
            }
            decoder.value(items).map_err(|error| error.inside_element(index))?;
            index += 1;
            Ok(())
        })?;
        self.out.push(b']');
        Ok(())
    }

    fn map(&mut self, values: NodeId) -> Result<()> {
        self.out.push(b'{');
        let mut is_first = true;
        self.blocks(|decoder| {
            if !is_first {
                decoder.out.push(b',');
            }
            is_first = false;
            let key = decoder.sized()?;
            decoder.text(key)?;
            decoder.out.push(b':');
            decoder.value(values).map_err(|error| error.inside(&String::from_utf8_lossy(key)))
        })?;
        self.out.push(b'}');
        Ok(())
    }

    /// Reads items until the block without any.
    fn blocks(&mut self, mut item: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        loop {
            let count = match self.long()? {
                0 => return Ok(()),
                // A negative number of items comes with their length in bytes.
                count @ ..0 => {
                    self.long()?;
                    count.unsigned_abs()
                }
                count => count.unsigned_abs(),
            };
            for _ in 0..count {
                let start = self.at;
                item(self)?;
                if self.at == start {
                    self.empty_items += 1;
                    if self.empty_items > MAX_EMPTY_ITEMS {
                        return Err(DecodeError::new("too many items without bytes", start));
                    }
                }
                if self.out.len() > self.limit {
                    return Err(DecodeError::new("the text of the datum becomes too long", start));
                }
            }
        }
    }

    #[inline]
    fn long(&mut self) -> Result<i64> {
        match self.datum.get(self.at) {
            Some(byte) if *byte < 0x80 => {
                self.at += 1;
                Ok(unzigzag(u64::from(*byte)))
            }
            _ => self.long_of_many_bytes(),
        }
    }

    fn long_of_many_bytes(&mut self) -> Result<i64> {
        let start = self.at;
        let mut value = 0_u64;
        for shift in (0..70).step_by(7) {
            let Some(byte) = self.datum.get(self.at).copied() else {
                return Err(self.too_short());
            };
            self.at += 1;
            let bits = u64::from(byte & 0x7f);
            // Of the tenth byte one bit is left.
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(unzigzag(value));
            }
        }
        Err(DecodeError::new("a number beyond a long", start))
    }

    #[inline]
    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let datum = self.datum;
        let end = self.at.checked_add(length);
        match end.and_then(|end| datum.get(self.at..end)) {
            Some(bytes) => {
                self.at += length;
                Ok(bytes)
            }
            None => Err(self.too_short()),
        }
    }

    #[cold]
    fn too_short(&self) -> DecodeError {
        DecodeError::new("the datum ends too early", self.datum.len())
    }

    /// Bytes behind their length.
    #[inline]
    fn sized(&mut self) -> Result<&'a [u8]> {
        let start = self.at;
        match usize::try_from(self.long()?) {
            Ok(length) => self.take(length),
            Err(_) => Err(DecodeError::new("a length below 0", start)),
        }
    }

    #[inline]
    fn integer(&mut self, value: i64) {
        self.out.extend(itoa::Buffer::new().format(value).as_bytes());
    }

    #[cold]
    fn not_finite(&mut self, value: f64) {
        self.out.extend(if value.is_nan() {
            b"\"NaN\""
        } else if value > 0.0 {
            b"\"Infinity\"".as_slice()
        } else {
            b"\"-Infinity\"".as_slice()
        });
    }

    fn text(&mut self, bytes: &[u8]) -> Result<()> {
        if std::str::from_utf8(bytes).is_err() {
            return Err(DecodeError::new("a string that is not UTF-8", self.at - bytes.len()));
        }
        self.out.push(b'"');
        let mut rest = bytes;
        loop {
            let (plain, special) = rest.split_at(find_special(rest));
            self.out.extend(plain);
            let Some((byte, after)) = special.split_first() else { break };
            write_escaped(*byte, self.out);
            rest = after;
        }
        self.out.push(b'"');
        Ok(())
    }
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

/// A quote, a backslash or a control character.
fn write_escaped(byte: u8, out: &mut impl Buffer) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let letter = match byte {
        b'"' => b'"',
        b'\\' => b'\\',
        0x08 => b'b',
        0x09 => b't',
        0x0a => b'n',
        0x0c => b'f',
        0x0d => b'r',
        _ => {
            out.extend(b"\\u00");
            out.push(HEX[usize::from(byte >> 4)]);
            out.push(HEX[usize::from(byte & 0x0f)]);
            return;
        }
    };
    out.extend(&[b'\\', letter]);
}

/// One character for each byte.
pub(in crate::avro) fn write_latin1(bytes: &[u8], out: &mut impl Buffer) {
    out.push(b'"');
    for byte in bytes {
        match *byte {
            byte @ (..b' ' | b'"' | b'\\') => write_escaped(byte, out),
            byte @ ..0x80 => out.push(byte),
            byte => out.extend(&[0xc0 | (byte >> 6), 0x80 | (byte & 0x3f)]),
        }
    }
    out.push(b'"');
}
