//! From JSON text to binary.

use super::buffer::Buffer;
use super::error::EncodeError;
use super::scanner::{Raw, Scanner, unescape};
use super::{EnumPlan, MAX_DEPTH, Node, NodeId, Plan, RecordPlan, UnionPlan};

type Result<T> = std::result::Result<T, EncodeError>;

/// How much text may be read again, for each byte of the text, to find the
/// branch of a union that fits.
const TRIALS: usize = 16;

/// Where a field's bytes are while fields stand in the order of the text.
#[derive(Debug, Clone, Copy)]
struct Span {
    /// The field's place in the record.
    field: usize,
    start: usize,
    end: usize,
}

pub(super) struct Encoder<'a, B> {
    plan: &'a Plan,
    scanner: Scanner<'a>,
    out: &'a mut B,
    depth: usize,
    /// Bytes of text that may still be read in vain.
    trials: usize,
    /// Of all records that are open and not in order, outermost first.
    spans: Vec<Span>,
    reordered: Vec<u8>,
    unescaped: Vec<u8>,
}

impl<'a, B: Buffer> Encoder<'a, B> {
    pub(super) fn new(plan: &'a Plan, json: &'a [u8], out: &'a mut B) -> Result<Self> {
        let scanner = Scanner::new(json)?;
        let trials = json.len().saturating_mul(TRIALS).saturating_add(1024);
        Ok(Self {
            plan,
            scanner,
            out,
            depth: 0,
            trials,
            spans: Vec::new(),
            reordered: Vec::new(),
            unescaped: Vec::new(),
        })
    }

    pub(super) fn run(mut self) -> Result<()> {
        self.value(self.plan.root)?;
        self.scanner.end()
    }

    /// A string of bytes, without their length.
    pub(super) fn run_raw_bytes(mut self) -> Result<()> {
        self.scanner.peek();
        let start = self.scanner.offset();
        let text = self.text()?.unwrap_or(&self.unescaped);
        write_latin1(text, start, self.out)?;
        self.scanner.end()
    }

    fn value(&mut self, node: NodeId) -> Result<()> {
        let node = self.plan.at(node);
        match (node, self.scanner.peek()) {
            (Node::String, Some(b'"')) => self.string(),
            (Node::Int, Some(b'-' | b'0'..=b'9')) => {
                let start = self.scanner.offset();
                let value = self.scanner.integer()?;
                if i32::try_from(value).is_err() {
                    return Err(EncodeError::new("the number is beyond an int", start));
                }
                self.long(value);
                Ok(())
            }
            (Node::Long, Some(b'-' | b'0'..=b'9')) => {
                let value = self.scanner.integer()?;
                self.long(value);
                Ok(())
            }
            (Node::Union(plan), Some(_)) => self.union(plan),
            (Node::Record(plan), Some(b'{')) => self.nested(|encoder| encoder.record(plan)),
            (Node::Null, Some(b'n')) if self.scanner.eat_token(b"null") => Ok(()),
            (Node::Boolean, Some(b't')) if self.scanner.eat_token(b"true") => {
                self.out.push(1);
                Ok(())
            }
            (Node::Boolean, Some(b'f')) if self.scanner.eat_token(b"false") => {
                self.out.push(0);
                Ok(())
            }
            (Node::Float, Some(b'-' | b'0'..=b'9' | b'"')) => {
                let start = self.scanner.offset();
                let value = self.floating()?;
                #[expect(clippy::cast_possible_truncation, reason = "a float is what is wanted")]
                let narrow = value as f32;
                if narrow.is_infinite() && value.is_finite() {
                    return Err(EncodeError::new("the number is beyond a float", start));
                }
                self.out.extend(&narrow.to_le_bytes());
                Ok(())
            }
            (Node::Double, Some(b'-' | b'0'..=b'9' | b'"')) => {
                let value = self.floating()?;
                self.out.extend(&value.to_le_bytes());
                Ok(())
            }
            (Node::Bytes, Some(b'"')) => self.bytes(),
            (Node::Fixed { name, size }, Some(b'"')) => self.fixed(name, *size),
            (Node::Enum(plan), Some(b'"')) => self.symbol(plan),
            (Node::Array(items), Some(b'[')) => self.nested(|encoder| encoder.array(*items)),
            (Node::Map(values), Some(b'{')) => self.nested(|encoder| encoder.map(*values)),
            _ => Err(self.mismatch(node)),
        }
    }

    #[cold]
    fn mismatch(&mut self, node: &Node) -> EncodeError {
        let found = self.scanner.found();
        self.scanner.error(format!("expected {}, found {found}", node.kind()))
    }

    /// Everything that holds values of its own.
    fn nested(&mut self, encode: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        if self.depth == MAX_DEPTH {
            return Err(self.scanner.error("nested too deep"));
        }
        self.depth += 1;
        encode(self)?;
        self.depth -= 1;
        Ok(())
    }

    #[inline]
    fn long(&mut self, value: i64) {
        write_long(value, self.out);
    }

    fn length(&mut self, length: usize) {
        // No length is beyond what a slice can have.
        self.long(i64::try_from(length).unwrap_or(i64::MAX));
    }

    /// Takes a string and makes it text, in `self.unescaped` when it has escapes.
    #[inline]
    fn text(&mut self) -> Result<Option<&'a [u8]>> {
        self.scanner.expect(b'"', "expected a string")?;
        let start = self.scanner.offset();
        match self.scanner.string()? {
            Raw::Plain(text) => Ok(Some(text)),
            Raw::Escaped(raw) => {
                self.unescaped.clear();
                unescape(raw, start, &mut self.unescaped)?;
                Ok(None)
            }
        }
    }

    fn string(&mut self) -> Result<()> {
        match self.text()? {
            Some(text) => {
                self.length(text.len());
                self.out.extend(text);
            }
            None => {
                self.length(self.unescaped.len());
                self.out.extend(&self.unescaped);
            }
        }
        Ok(())
    }

    fn bytes(&mut self) -> Result<()> {
        let start = self.scanner.offset();
        match self.text()? {
            Some(text) if text.is_ascii() => {
                self.length(text.len());
                self.out.extend(text);
                Ok(())
            }
            text => {
                let text = text.unwrap_or(&self.unescaped);
                // One byte of two is a character above U+007F, all others are one.
                let length = text.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
                write_long(i64::try_from(length).unwrap_or(i64::MAX), self.out);
                write_latin1(text, start, self.out)
            }
        }
    }

    fn fixed(&mut self, name: &str, size: usize) -> Result<()> {
        let start = self.scanner.offset();
        let before = self.out.len();
        let text = self.text()?.unwrap_or(&self.unescaped);
        write_latin1(text, start, self.out)?;
        match self.out.len() - before {
            written if written == size => Ok(()),
            written => {
                Err(EncodeError::new(format!("{name} takes {size} bytes, found {written}"), start))
            }
        }
    }

    fn symbol(&mut self, plan: &EnumPlan) -> Result<()> {
        let start = self.scanner.offset();
        let text = self.text()?.unwrap_or(&self.unescaped);
        match plan.by_name.get(text) {
            Some(place) => {
                self.length(place);
                Ok(())
            }
            None => Err(EncodeError::new(
                format!("\"{}\" is not a symbol of {}", cut(text), plan.name),
                start,
            )),
        }
    }

    /// A number, or the name of one that JSON cannot write.
    fn floating(&mut self) -> Result<f64> {
        let start = self.scanner.offset();
        if self.scanner.eat(b'"') {
            return match self.scanner.string()? {
                Raw::Plain(b"NaN") => Ok(f64::NAN),
                Raw::Plain(b"Infinity") => Ok(f64::INFINITY),
                Raw::Plain(b"-Infinity") => Ok(f64::NEG_INFINITY),
                _ => Err(EncodeError::new("expected a number, found a string", start)),
            };
        }
        let number = self.scanner.number()?;
        let value = std::str::from_utf8(number.text).ok().and_then(|text| text.parse::<f64>().ok());
        match value.filter(|value| value.is_finite()) {
            Some(value) => Ok(value),
            None => Err(EncodeError::new("the number is beyond a double", start)),
        }
    }

    fn array(&mut self, items: NodeId) -> Result<()> {
        self.scanner.expect(b'[', "expected an array")?;
        let at = self.begin_block();
        let mut count = 0;
        if self.scanner.eat(b']') {
            return Ok(());
        }
        loop {
            self.value(items).map_err(|error| error.inside_element(count))?;
            count += 1;
            if !self.scanner.another(b']')? {
                break;
            }
        }
        self.end_block(at, count);
        Ok(())
    }

    fn map(&mut self, values: NodeId) -> Result<()> {
        self.scanner.expect(b'{', "expected an object")?;
        let at = self.begin_block();
        let mut count = 0;
        if self.scanner.eat(b'}') {
            return Ok(());
        }
        loop {
            self.scanner.peek();
            let key = self.scanner.offset();
            self.string()?;
            self.scanner.expect(b':', "expected ':' after a key")?;
            self.value(values).map_err(|error| self.inside_key(error, key))?;
            count += 1;
            if !self.scanner.another(b'}')? {
                break;
            }
        }
        self.end_block(at, count);
        Ok(())
    }

    #[cold]
    fn inside_key(&mut self, error: EncodeError, key: usize) -> EncodeError {
        self.scanner.go_to(key);
        let text = match self.text() {
            Ok(text) => cut(text.unwrap_or(&self.unescaped)),
            Err(_) => String::new(),
        };
        error.inside(&text)
    }

    /// Leaves a byte for the number of items, which is the end of all blocks
    /// when there are none.
    fn begin_block(&mut self) -> usize {
        let at = self.out.len();
        self.out.push(0);
        at
    }

    fn end_block(&mut self, at: usize, count: usize) {
        let end = self.out.len();
        self.length(count);
        let longer = self.out.len() - end - 1;
        // The number stands at the end: move it to the front.
        if let Some(block) = self.out.bytes_mut().get_mut(at..) {
            if longer == 0 {
                let last = block.len() - 1;
                block.swap(0, last);
            } else {
                block.rotate_right(longer + 1);
                // The byte that was left for it now stands behind it.
                block[longer + 1..].rotate_left(1);
            }
        }
        // What is left at the end is the byte that was left free, a 0: the
        // number of items of the block that ends them all.
    }

    fn record(&mut self, plan: &RecordPlan) -> Result<()> {
        self.scanner.expect(b'{', "expected an object")?;
        let mut next = 0;
        if self.scanner.eat(b'}') {
            return self.complete(plan, next);
        }
        // As long as fields come in the order of the schema, each goes
        // where it belongs at once.
        while let Some(field) = plan.fields.get(next) {
            self.scanner.peek();
            if !self.scanner.eat_token(&field.name.json) {
                break;
            }
            self.scanner.expect(b':', "expected ':' after the name of a field")?;
            self.value(field.node).map_err(|error| error.inside(&field.name.text))?;
            next += 1;
            if !self.scanner.another(b'}')? {
                return self.complete(plan, next);
            }
        }
        let base = self.spans.len();
        let result = self.unordered(plan, next, base);
        self.spans.truncate(base);
        result
    }

    /// All fields from `next` on are missing.
    fn complete(&mut self, plan: &RecordPlan, next: usize) -> Result<()> {
        if next == plan.fields.len() { Ok(()) } else { Err(self.missing(plan, next, &[])) }
    }

    /// `seen` are the fields behind the first `next` that are there, in order.
    #[cold]
    fn missing(&self, plan: &RecordPlan, next: usize, seen: &[Span]) -> EncodeError {
        const NAMES: usize = 10;
        let fields = plan.fields.iter().enumerate().skip(next);
        let is_seen = |place: &usize| seen.binary_search_by_key(place, |span| span.field).is_ok();
        let mut names = fields
            .filter(|(place, _)| !is_seen(place))
            .map(|(_, field)| format!("'{}'", field.name.text));
        let shown: Vec<_> = names.by_ref().take(NAMES).collect();
        let more = if names.next().is_some() { ", …" } else { "" };
        let noun = if shown.len() == 1 { "field" } else { "fields" };
        let shown = shown.join(", ");
        self.scanner.error(format!("missing {noun} {shown}{more} of {}", plan.name))
    }

    /// Goes on with a record at a field that is not the `next` one. What it
    /// costs depends on the fields that are there, not on those of the schema.
    fn unordered(&mut self, plan: &RecordPlan, next: usize, base: usize) -> Result<()> {
        let start = self.out.len();
        loop {
            self.scanner.peek();
            let key = self.scanner.offset();
            let name = self.text()?.unwrap_or(&self.unescaped);
            let Some(place) = plan.by_name.get(name) else {
                let problem = format!("{} has no field '{}'", plan.name, cut(name));
                return Err(EncodeError::new(problem, key));
            };
            let field = &plan.fields[place];
            if place < next {
                return Err(self.twice(plan, place));
            }
            self.scanner.expect(b':', "expected ':' after the name of a field")?;
            let start = self.out.len();
            self.value(field.node).map_err(|error| error.inside(&field.name.text))?;
            self.spans.push(Span { field: place, start, end: self.out.len() });
            if !self.scanner.another(b'}')? {
                break;
            }
        }
        let spans = &mut self.spans[base..];
        spans.sort_unstable_by_key(|span| span.field);
        let spans = &self.spans[base..];
        if let Some([first, _]) = spans.array_windows().find(|[one, two]| one.field == two.field) {
            return Err(self.twice(plan, first.field));
        }
        if spans.len() < plan.fields.len() - next {
            return Err(self.missing(plan, next, spans));
        }
        let bytes = self.out.bytes_mut();
        self.reordered.clear();
        for span in spans {
            self.reordered.extend_from_slice(&bytes[span.start..span.end]);
        }
        bytes[start..].copy_from_slice(&self.reordered);
        Ok(())
    }

    #[cold]
    fn twice(&self, plan: &RecordPlan, place: usize) -> EncodeError {
        let name = &plan.fields[place].name.text;
        self.scanner.error(format!("field '{name}' of {} occurs twice", plan.name))
    }

    fn union(&mut self, plan: &UnionPlan) -> Result<()> {
        let start = self.scanner.offset();
        if self.scanner.eat_token(b"null") {
            return match plan.null {
                Some(null) => {
                    self.length(null);
                    Ok(())
                }
                None => {
                    self.scanner.go_to(start);
                    Err(self.scanner.error(format!("null is none of {}", names(plan))))
                }
            };
        }
        if self.scanner.eat(b'{') {
            if let Some(branch) = self.branch_name(plan)? {
                let before = self.out.len();
                let spans = self.spans.len();
                let depth = self.depth;
                let tagged = self.tagged(plan, branch);
                let Err(error) = tagged else { return Ok(()) };
                // A map may have a key, or a record a field, of that name.
                let can_be_bare = plan.branches.iter().any(|branch| {
                    matches!(self.plan.at(branch.node), Node::Map(_) | Node::Record(_))
                });
                if !can_be_bare || !self.spend(start) {
                    return Err(error);
                }
                self.reset(start, before, spans, depth);
                return self.bare(plan).map_err(|_| error);
            }
            self.scanner.go_to(start);
        }
        self.bare(plan)
    }

    /// The branch that an object begins to name, behind the `{`.
    fn branch_name(&mut self, plan: &UnionPlan) -> Result<Option<usize>> {
        if self.scanner.peek() != Some(b'"') {
            return Ok(None);
        }
        // Few branches: to look at each is faster than to find the end first.
        const FEW: usize = 4;
        if plan.branches.len() <= FEW {
            let found =
                plan.branches.iter().position(|branch| self.scanner.eat_token(&branch.name.json));
            if found.is_some() {
                return Ok(found);
            }
        }
        let name = self.text()?.unwrap_or(&self.unescaped);
        Ok(plan.by_name.get(name))
    }

    fn tagged(&mut self, plan: &UnionPlan, branch: usize) -> Result<()> {
        self.scanner.expect(b':', "expected ':' after the name of a branch")?;
        self.length(branch);
        let branch = &plan.branches[branch];
        self.value(branch.node).map_err(|error| error.inside(&branch.name.text))?;
        self.scanner.expect(b'}', "expected '}' after the value of a branch")
    }

    /// A value that does not name its branch: exactly one has to fit.
    fn bare(&mut self, plan: &UnionPlan) -> Result<()> {
        let Some(first) = self.scanner.peek() else {
            return Err(self.scanner.error("the text ends"));
        };
        let fits = |node| may_begin(self.plan.at(node), first);
        let mut candidates =
            plan.branches.iter().enumerate().filter(|(_, branch)| fits(branch.node));
        let (place, branch) = match (candidates.next(), candidates.next()) {
            (None, _) => {
                let found = self.scanner.found();
                let problem = format!("{found} is none of {}", names(plan));
                return Err(self.scanner.error(problem));
            }
            (Some(only), None) => only,
            (Some(_), Some(_)) => return self.try_branches(plan, first),
        };
        self.length(place);
        self.value(branch.node)
    }

    fn try_branches(&mut self, plan: &UnionPlan, first: u8) -> Result<()> {
        let (start, before) = (self.scanner.offset(), self.out.len());
        let (spans, depth) = (self.spans.len(), self.depth);
        // The first branch that fits, and where its text and bytes end.
        let mut fitting: Option<(usize, usize, usize)> = None;
        for (place, branch) in plan.branches.iter().enumerate() {
            if !may_begin(self.plan.at(branch.node), first) {
                continue;
            }
            self.length(place);
            let fits = self.value(branch.node).is_ok();
            if !self.spend(start) {
                self.scanner.go_to(start);
                return Err(self.scanner.error("too many ways to read this: name the branches"));
            }
            let (end, written) = (self.scanner.offset(), self.out.len());
            match fitting {
                Some((other, ..)) if fits => {
                    self.scanner.go_to(start);
                    let [one, two] = [other, place].map(|place| &plan.branches[place].name.text);
                    let problem = format!("both {one} and {two} fit: write {{\"{one}\": …}}");
                    return Err(self.scanner.error(problem));
                }
                None if fits => {
                    fitting = Some((place, end, written));
                    self.reset(start, written, spans, depth);
                }
                Some((_, _, written)) => self.reset(start, written, spans, depth),
                None => self.reset(start, before, spans, depth),
            }
        }
        match fitting {
            Some((_, end, written)) => {
                self.reset(end, written, spans, depth);
                Ok(())
            }
            None => {
                let problem = format!("the value fits none of {}", names(plan));
                Err(self.scanner.error(problem))
            }
        }
    }

    /// Counts the text since `start` as read in vain; `false` when that was
    /// too much.
    fn spend(&mut self, start: usize) -> bool {
        let read = self.scanner.offset().saturating_sub(start) + 1;
        match self.trials.checked_sub(read) {
            Some(left) => {
                self.trials = left;
                true
            }
            None => false,
        }
    }

    fn reset(&mut self, offset: usize, written: usize, spans: usize, depth: usize) {
        self.scanner.go_to(offset);
        self.out.truncate(written);
        self.spans.truncate(spans);
        self.depth = depth;
    }
}

/// Whether a value that begins with `first` may be of that type.
fn may_begin(node: &Node, first: u8) -> bool {
    match node {
        // `null` alone has been looked at before.
        Node::Null | Node::Union(_) => false,
        Node::Boolean => matches!(first, b't' | b'f'),
        Node::Int | Node::Long => matches!(first, b'-' | b'0'..=b'9'),
        // Names of numbers have to be tagged where a string is possible.
        Node::Float | Node::Double => matches!(first, b'-' | b'0'..=b'9' | b'"'),
        Node::Bytes | Node::String | Node::Fixed { .. } | Node::Enum(_) => first == b'"',
        Node::Array(_) => first == b'[',
        Node::Map(_) | Node::Record(_) => first == b'{',
    }
}

fn names(plan: &UnionPlan) -> String {
    const NAMES: usize = 10;
    let names: Vec<&str> =
        plan.branches.iter().take(NAMES).map(|branch| &*branch.name.text).collect();
    let more = if plan.branches.len() > NAMES { ", …" } else { "" };
    format!("the branches [{}{more}]", names.join(", "))
}

/// The start of a text, for a message.
fn cut(text: &[u8]) -> String {
    const LENGTH: usize = 80;
    let text = String::from_utf8_lossy(text);
    match text.char_indices().nth(LENGTH) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.into_owned(),
    }
}

/// Writes a zigzag variable-length integer.
#[inline]
fn write_long(value: i64, out: &mut impl Buffer) {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    if rest < 0x80 {
        out.push(rest.to_le_bytes()[0]);
        return;
    }
    let mut bytes = [0; 10];
    let mut length = 0;
    for byte in &mut bytes {
        let low = rest.to_le_bytes()[0] & 0x7f;
        rest >>= 7;
        length += 1;
        if rest == 0 {
            *byte = low;
            break;
        }
        *byte = low | 0x80;
    }
    out.extend(bytes.get(..length).unwrap_or_default());
}

/// Writes one byte for each character, none of which may be above U+00FF.
fn write_latin1(text: &[u8], offset: usize, out: &mut impl Buffer) -> Result<()> {
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            0..0x80 => out.push(byte),
            // U+0080 to U+00FF are these two, with one more byte.
            0xc2 | 0xc3 => {
                let low = bytes.next().unwrap_or_default();
                out.push(((byte & 0x03) << 6) | (low & 0x3f));
            }
            _ => {
                let problem = "a character above U+00FF in bytes";
                return Err(EncodeError::new(problem, offset));
            }
        }
    }
    Ok(())
}
