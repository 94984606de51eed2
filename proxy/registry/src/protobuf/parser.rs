//! Reads the text of a `.proto` file.
//!
//! Grammar: <https://protobuf.dev/reference/protobuf/proto3-spec/>. Only the
//! grammar: whether names resolve and numbers are free is checked elsewhere.

use super::syntax::{
    Constant, Enum, Extend, Extensions, Field, FieldType, File, Group, Import, ImportKind, Label,
    Message, OneOf, OptionEntry, OptionValue, Reserved, Rpc, RpcType, Service, Syntax,
};

/// How deep messages and values of options may lie in each other; protoc
/// allows 32 messages.
const MAX_DEPTH: usize = 64;
/// How many names the value of an option may set.
const MAX_MAP_ENTRIES: usize = 4_096;
/// The highest number of a field: `max` in a range of a message.
pub(super) const MAX_FIELD_NUMBER: i32 = (1 << 29) - 1;

/// Where and why a text is no `.proto` file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Syntax error in :{line}:{column}: {problem}")]
pub(super) struct SyntaxError {
    line: usize,
    column: usize,
    problem: String,
}

type Parsed<T> = Result<T, SyntaxError>;

pub(super) fn parse(text: &str) -> Parsed<File> {
    let mut parser = Parser { text, at: 0, depth: 0, next: Token::End, next_at: 0 };
    parser.advance()?;
    parser.file()
}

/// The bytes that a text with the escapes of a string stands for, as far as
/// they can be read.
pub(super) fn unescaped(text: &str) -> Vec<u8> {
    let quoted = format!("{text}\"");
    let mut parser = Parser { text: &quoted, at: 0, depth: 0, next: Token::End, next_at: 0 };
    parser.string_after_quote(b'"').unwrap_or_else(|_| text.as_bytes().to_vec())
}

#[derive(Debug, Clone, PartialEq)]
enum Token<'a> {
    Word(&'a str),
    /// Without a sign.
    Number(&'a str),
    String(Vec<u8>),
    Symbol(char),
    End,
}

struct Parser<'a> {
    text: &'a str,
    /// Behind the next token.
    at: usize,
    depth: usize,
    next: Token<'a>,
    next_at: usize,
}

impl<'a> Parser<'a> {
    fn error<T>(&self, problem: impl Into<String>) -> Parsed<T> {
        let before = self.text.get(..self.next_at).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Err(SyntaxError {
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
            problem: problem.into(),
        })
    }

    fn unexpected<T>(&self, expected: &str) -> Parsed<T> {
        let found = match &self.next {
            Token::Word(text) | Token::Number(text) => text.chars().take(40).collect(),
            Token::String(_) => "a string".to_owned(),
            Token::Symbol(symbol) => format!("'{symbol}'"),
            Token::End => "the end of the file".to_owned(),
        };
        self.error(format!("expected {expected} but was {found}"))
    }

    // Tokens.

    fn peek_byte(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    fn skip_space_and_comments(&mut self) -> Parsed<()> {
        loop {
            match (self.peek_byte(0), self.peek_byte(1)) {
                (Some(b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c), _) => self.at += 1,
                (Some(b'/'), Some(b'/')) => {
                    let rest = self.text.get(self.at..).unwrap_or_default();
                    self.at += rest.find('\n').unwrap_or(rest.len());
                }
                (Some(b'/'), Some(b'*')) => {
                    let rest = self.text.get(self.at + 2..).unwrap_or_default();
                    match rest.find("*/") {
                        Some(end) => self.at += end + 4,
                        None => return self.error("a comment without end"),
                    }
                }
                // A byte order mark may begin the file.
                (Some(0xef), _) if self.at == 0 && self.text.starts_with('\u{feff}') => self.at = 3,
                _ => return Ok(()),
            }
        }
    }

    fn advance(&mut self) -> Parsed<Token<'a>> {
        self.next_at = self.at;
        self.skip_space_and_comments()?;
        self.next_at = self.at;
        let start = self.at;
        let next = match self.peek_byte(0) {
            None => Token::End,
            Some(first) if first.is_ascii_alphabetic() || first == b'_' => {
                while self
                    .peek_byte(0)
                    .is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
                {
                    self.at += 1;
                }
                Token::Word(self.text.get(start..self.at).unwrap_or_default())
            }
            Some(first)
                if first.is_ascii_digit()
                    || first == b'.'
                        && self.peek_byte(1).is_some_and(|byte| byte.is_ascii_digit()) =>
            {
                self.number();
                Token::Number(self.text.get(start..self.at).unwrap_or_default())
            }
            Some(quote @ (b'"' | b'\'')) => Token::String(self.string(quote)?),
            Some(_) => {
                let symbol = self.text.get(start..).and_then(|rest| rest.chars().next());
                let symbol = symbol.unwrap_or_default();
                self.at += symbol.len_utf8();
                Token::Symbol(symbol)
            }
        };
        Ok(std::mem::replace(&mut self.next, next))
    }

    fn number(&mut self) {
        let mut last = 0;
        while let Some(byte) = self.peek_byte(0) {
            let is_sign = matches!(byte, b'+' | b'-') && matches!(last, b'e' | b'E');
            if !(byte.is_ascii_alphanumeric() || byte == b'.' || is_sign) {
                break;
            }
            // In 0x1e+1 the e is a digit.
            let is_hex = self.text.get(self.next_at..).is_some_and(|rest| rest.starts_with("0x"));
            last = if is_hex { 0 } else { byte };
            self.at += 1;
        }
    }

    fn string(&mut self, quote: u8) -> Parsed<Vec<u8>> {
        self.at += 1;
        self.string_after_quote(quote)
    }

    fn string_after_quote(&mut self, quote: u8) -> Parsed<Vec<u8>> {
        let mut bytes = Vec::new();
        loop {
            let Some(byte) = self.peek_byte(0) else { return self.error("a string without end") };
            self.at += 1;
            match byte {
                b'\\' => self.escape(&mut bytes)?,
                b'\n' => return self.error("a string without end"),
                byte if byte == quote => return Ok(bytes),
                byte => bytes.push(byte),
            }
        }
    }

    fn escape(&mut self, bytes: &mut Vec<u8>) -> Parsed<()> {
        let Some(byte) = self.peek_byte(0) else { return self.error("a string without end") };
        self.at += 1;
        let (radix, longest) = match byte {
            b'a' => return push(bytes, 0x07),
            b'b' => return push(bytes, 0x08),
            b'f' => return push(bytes, 0x0c),
            b'n' => return push(bytes, b'\n'),
            b'r' => return push(bytes, b'\r'),
            b't' => return push(bytes, b'\t'),
            b'v' => return push(bytes, 0x0b),
            b'x' | b'X' => (16, 2),
            b'u' => (16, 4),
            b'U' => (16, 8),
            b'0'..=b'7' => {
                self.at -= 1;
                (8, 3)
            }
            byte => return push(bytes, byte),
        };
        let start = self.at;
        while self.at - start < longest
            && self.peek_byte(0).is_some_and(|byte| char::from(byte).is_digit(radix))
        {
            self.at += 1;
        }
        let digits = self.text.get(start..self.at).unwrap_or_default();
        let Ok(value) = u32::from_str_radix(digits, radix) else {
            return self.error("an escape without digits");
        };
        if longest > 3 {
            let Some(char) = char::from_u32(value) else {
                return self.error("an escape that is no character");
            };
            bytes.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
        } else {
            // Octal escapes wrap as in C.
            bytes.extend(u8::try_from(value & 0xff));
        }
        Ok(())
    }

    // Pieces.

    fn is_symbol(&self, symbol: char) -> bool {
        self.next == Token::Symbol(symbol)
    }

    fn eat(&mut self, symbol: char) -> Parsed<bool> {
        let found = self.is_symbol(symbol);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    fn expect(&mut self, symbol: char) -> Parsed<()> {
        if self.eat(symbol)? { Ok(()) } else { self.unexpected(&format!("'{symbol}'")) }
    }

    fn peek_word(&self) -> Option<&'a str> {
        match self.next {
            Token::Word(word) => Some(word),
            _ => None,
        }
    }

    fn word(&mut self) -> Parsed<&'a str> {
        match self.peek_word() {
            Some(word) => {
                self.advance()?;
                Ok(word)
            }
            None => self.unexpected("a name"),
        }
    }

    /// `a.b.c`, and `.a.b` where a leading dot is allowed.
    fn full_name(&mut self) -> Parsed<String> {
        let mut name = String::new();
        if self.eat('.')? {
            name.push('.');
        }
        name.push_str(self.word()?);
        while self.eat('.')? {
            name.push('.');
            name.push_str(self.word()?);
        }
        Ok(name)
    }

    fn text(&mut self) -> Parsed<Vec<u8>> {
        let mut text = match self.advance()? {
            Token::String(text) => text,
            _ => return self.unexpected("a string"),
        };
        while let Token::String(more) = &self.next {
            text.extend_from_slice(more);
            self.advance()?;
        }
        Ok(text)
    }

    fn utf8_text(&mut self) -> Parsed<String> {
        if !matches!(self.next, Token::String(_)) {
            return self.unexpected("a string");
        }
        let text = self.text()?;
        String::from_utf8(text).or_else(|_| self.error("a string that is not UTF-8"))
    }

    fn integer(&mut self) -> Parsed<i32> {
        let is_negative = self.eat('-')?;
        let Token::Number(digits) = self.next else { return self.unexpected("an integer") };
        let Some(value) = integer(digits) else { return self.unexpected("an integer") };
        let value = if is_negative { -value } else { value };
        let Ok(value) = i32::try_from(value) else { return self.unexpected("an integer in range") };
        self.advance()?;
        Ok(value)
    }

    /// Runs `inner` one level deeper.
    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= MAX_DEPTH {
            return self.error("nested too deep");
        }
        self.depth += 1;
        let parsed = inner(self);
        self.depth -= 1;
        parsed
    }

    // Declarations.

    fn file(&mut self) -> Parsed<File> {
        let mut file = File::default();
        let mut is_first = true;
        loop {
            if self.next == Token::End {
                return Ok(file);
            }
            if self.eat(';')? {
                continue;
            }
            let Some(word) = self.peek_word() else { return self.unexpected("a declaration") };
            match word {
                "syntax" => {
                    if !is_first {
                        return self
                            .error("'syntax' element must be the first declaration in a file");
                    }
                    self.advance()?;
                    self.expect('=')?;
                    file.syntax = Some(match self.utf8_text()?.as_str() {
                        "proto2" => Syntax::Proto2,
                        "proto3" => Syntax::Proto3,
                        other => return self.error(format!("unknown syntax {other:?}")),
                    });
                    self.expect(';')?;
                }
                "edition" => return self.error("edition is not currently supported"),
                "package" => {
                    self.advance()?;
                    file.package = Some(self.full_name()?);
                    self.expect(';')?;
                }
                "import" => {
                    self.advance()?;
                    let kind = match self.peek_word() {
                        Some("public") => ImportKind::Public,
                        Some("weak") => ImportKind::Weak,
                        _ => ImportKind::Plain,
                    };
                    if kind != ImportKind::Plain {
                        self.advance()?;
                    }
                    file.imports.push(Import { path: self.utf8_text()?, kind });
                    self.expect(';')?;
                }
                "option" => file.options.push(self.option_statement()?),
                "message" => {
                    self.advance()?;
                    file.messages.push(self.message(file.is_proto3())?);
                }
                "enum" => {
                    self.advance()?;
                    file.enums.push(self.enumeration()?);
                }
                "extend" => {
                    self.advance()?;
                    file.extends.push(self.extend(file.is_proto3())?);
                }
                "service" => {
                    self.advance()?;
                    file.services.push(self.service()?);
                }
                word => {
                    let word: String = word.chars().take(40).collect();
                    return self.error(format!("unexpected label: {word}"));
                }
            }
            is_first = false;
        }
    }

    fn message(&mut self, is_proto3: bool) -> Parsed<Message> {
        let name = self.word()?.to_owned();
        self.message_body(name, is_proto3)
    }

    fn message_body(&mut self, name: String, is_proto3: bool) -> Parsed<Message> {
        self.deeper(|this| {
            let mut message = Message { name, ..Message::default() };
            this.expect('{')?;
            while !this.eat('}')? {
                if !this.eat(';')? {
                    this.member(&mut message, is_proto3)?;
                }
            }
            Ok(message)
        })
    }

    fn member(&mut self, message: &mut Message, is_proto3: bool) -> Parsed<()> {
        match self.peek_word().unwrap_or_default() {
            "option" => message.options.push(self.option_statement()?),
            "message" => {
                self.advance()?;
                message.messages.push(self.message(is_proto3)?);
            }
            "enum" => {
                self.advance()?;
                message.enums.push(self.enumeration()?);
            }
            "extend" => {
                self.advance()?;
                message.extends.push(self.extend(is_proto3)?);
            }
            "oneof" => {
                self.advance()?;
                message.oneofs.push(self.oneof(is_proto3)?);
            }
            "reserved" => message.reserved.push(self.reserved(MAX_FIELD_NUMBER)?),
            "extensions" => {
                self.advance()?;
                let ranges = self.ranges(MAX_FIELD_NUMBER)?;
                let options = self.bracketed_options()?;
                self.expect(';')?;
                message.extensions.push(Extensions { ranges, options });
            }
            _ => match self.field(is_proto3, true)? {
                FieldOrGroup::Field(field) => message.fields.push(field),
                FieldOrGroup::Group(group) => message.groups.push(group),
            },
        }
        Ok(())
    }

    fn reserved(&mut self, max: i32) -> Parsed<Vec<Reserved>> {
        self.advance()?;
        let mut items = Vec::new();
        loop {
            if matches!(self.next, Token::String(_)) {
                items.push(Reserved::Name(self.utf8_text()?));
            } else {
                items.push(self.range(max)?);
            }
            if !self.eat(',')? {
                break;
            }
        }
        self.expect(';')?;
        Ok(items)
    }

    fn ranges(&mut self, max: i32) -> Parsed<Vec<Reserved>> {
        let mut ranges = vec![self.range(max)?];
        while self.eat(',')? {
            ranges.push(self.range(max)?);
        }
        Ok(ranges)
    }

    fn range(&mut self, max: i32) -> Parsed<Reserved> {
        let start = self.integer()?;
        if self.peek_word() != Some("to") {
            return Ok(Reserved::Number(start));
        }
        self.advance()?;
        if self.peek_word() == Some("max") {
            self.advance()?;
            return Ok(Reserved::Range(start, max));
        }
        Ok(Reserved::Range(start, self.integer()?))
    }

    /// A field or a group; `may_have_label` is false in a oneof.
    fn field(&mut self, is_proto3: bool, may_have_label: bool) -> Parsed<FieldOrGroup> {
        let label = match self.peek_word().filter(|_| may_have_label) {
            Some("optional") => Some(Label::Optional),
            Some("required") if is_proto3 => {
                return self.error("'required' label forbidden in proto3 field declarations");
            }
            Some("required") => Some(Label::Required),
            Some("repeated") => Some(Label::Repeated),
            _ => None,
        };
        if label.is_some() {
            self.advance()?;
        }
        if self.peek_word() == Some("group") {
            self.advance()?;
            let name = self.word()?.to_owned();
            self.expect('=')?;
            let number = self.integer()?;
            let options = self.bracketed_options()?;
            let body = self.message_body(name, is_proto3)?;
            return Ok(FieldOrGroup::Group(Group { label, number, options, body }));
        }
        let field_type = self.field_type()?;
        match (&field_type, label) {
            (FieldType::Map { .. }, Some(_)) => {
                return self.error("'map' type cannot have label");
            }
            (FieldType::Named(name), None) if may_have_label && !is_proto3 => {
                let name: String = name.chars().take(40).collect();
                return self.error(format!("unexpected label: {name}"));
            }
            _ => {}
        }
        let name = self.word()?.to_owned();
        self.expect('=')?;
        let number = self.integer()?;
        let mut options = self.bracketed_options()?;
        self.expect(';')?;
        let default = take_value(&mut options, "default");
        let json_name = take_value(&mut options, "json_name");
        Ok(FieldOrGroup::Field(Field {
            label,
            field_type,
            name,
            number,
            options,
            default,
            json_name,
        }))
    }

    fn field_type(&mut self) -> Parsed<FieldType> {
        let name = self.full_name()?;
        if name != "map" || !self.is_symbol('<') {
            return Ok(FieldType::Named(name));
        }
        self.expect('<')?;
        let key = self.full_name()?;
        self.expect(',')?;
        let value = self.full_name()?;
        self.expect('>')?;
        Ok(FieldType::Map { key, value })
    }

    fn oneof(&mut self, is_proto3: bool) -> Parsed<OneOf> {
        let mut oneof = OneOf {
            name: self.word()?.to_owned(),
            options: Vec::new(),
            fields: Vec::new(),
            groups: Vec::new(),
        };
        self.expect('{')?;
        while !self.eat('}')? {
            if self.eat(';')? {
                continue;
            }
            if self.peek_word() == Some("option") {
                oneof.options.push(self.option_statement()?);
                continue;
            }
            match self.field(is_proto3, false)? {
                FieldOrGroup::Field(field) => oneof.fields.push(field),
                FieldOrGroup::Group(group) => oneof.groups.push(group),
            }
        }
        Ok(oneof)
    }

    fn extend(&mut self, is_proto3: bool) -> Parsed<Extend> {
        let mut extend = Extend { name: self.full_name()?, fields: Vec::new(), groups: Vec::new() };
        self.expect('{')?;
        while !self.eat('}')? {
            if self.eat(';')? {
                continue;
            }
            match self.field(is_proto3, true)? {
                FieldOrGroup::Field(field) => extend.fields.push(field),
                FieldOrGroup::Group(group) => extend.groups.push(group),
            }
        }
        Ok(extend)
    }

    fn enumeration(&mut self) -> Parsed<Enum> {
        let mut enumeration = Enum { name: self.word()?.to_owned(), ..Enum::default() };
        self.expect('{')?;
        while !self.eat('}')? {
            if self.eat(';')? {
                continue;
            }
            let rest = self.text.get(self.at..).unwrap_or_default().trim_start();
            let is_constant = rest.starts_with('=');
            match self.peek_word() {
                Some("option") if !is_constant => {
                    enumeration.options.push(self.option_statement()?)
                }
                Some("reserved") if !is_constant => {
                    enumeration.reserved.push(self.reserved(i32::MAX)?);
                }
                _ => {
                    let name = self.word()?.to_owned();
                    self.expect('=')?;
                    let number = self.integer()?;
                    let options = self.bracketed_options()?;
                    self.expect(';')?;
                    enumeration.constants.push(Constant { name, number, options });
                }
            }
        }
        Ok(enumeration)
    }

    fn service(&mut self) -> Parsed<Service> {
        let mut service =
            Service { name: self.word()?.to_owned(), options: Vec::new(), rpcs: Vec::new() };
        self.expect('{')?;
        while !self.eat('}')? {
            if self.eat(';')? {
                continue;
            }
            match self.peek_word() {
                Some("option") => service.options.push(self.option_statement()?),
                Some("rpc") => {
                    self.advance()?;
                    service.rpcs.push(self.rpc()?);
                }
                _ => return self.unexpected("'rpc' or 'option'"),
            }
        }
        Ok(service)
    }

    fn rpc(&mut self) -> Parsed<Rpc> {
        let name = self.word()?.to_owned();
        let request = self.rpc_type()?;
        if self.peek_word() != Some("returns") {
            return self.unexpected("'returns'");
        }
        self.advance()?;
        let mut rpc = Rpc { name, request, response: self.rpc_type()?, options: Vec::new() };
        if self.eat('{')? {
            while !self.eat('}')? {
                if !self.eat(';')? {
                    if self.peek_word() != Some("option") {
                        return self.unexpected("'option'");
                    }
                    rpc.options.push(self.option_statement()?);
                }
            }
        } else {
            self.expect(';')?;
        }
        Ok(rpc)
    }

    fn rpc_type(&mut self) -> Parsed<RpcType> {
        self.expect('(')?;
        let rest = self.text.get(self.at..).unwrap_or_default().trim_start();
        let is_stream = self.peek_word() == Some("stream") && !rest.starts_with(')');
        if is_stream {
            self.advance()?;
        }
        let name = self.full_name()?;
        self.expect(')')?;
        Ok(RpcType { name, is_stream })
    }

    // Options.

    fn option_statement(&mut self) -> Parsed<OptionEntry> {
        self.advance()?;
        let option = self.option()?;
        self.expect(';')?;
        Ok(option)
    }

    fn bracketed_options(&mut self) -> Parsed<Vec<OptionEntry>> {
        let mut options = Vec::new();
        if self.eat('[')? {
            loop {
                options.push(self.option()?);
                if self.eat(']')? {
                    break;
                }
                self.expect(',')?;
            }
        }
        Ok(options)
    }

    fn option(&mut self) -> Parsed<OptionEntry> {
        let mut steps = vec![self.option_step()?];
        while self.eat('.')? {
            if steps.len() >= MAX_DEPTH {
                return self.error("nested too deep");
            }
            steps.push(self.option_step()?);
        }
        // Plain names with dots are one name.
        if steps.iter().all(|(_, is_custom)| !is_custom) {
            let name = steps.into_iter().map(|(name, _)| name).collect::<Vec<_>>().join(".");
            steps = vec![(name, false)];
        }
        self.expect('=')?;
        let mut value = self.value()?;
        let mut steps = steps.into_iter().rev();
        let Some(mut step) = steps.next() else { return self.unexpected("a name") };
        for outer in steps {
            let (name, is_custom) = std::mem::replace(&mut step, outer);
            value = OptionValue::Inner(Box::new(OptionEntry { name, is_custom, value }));
        }
        Ok(OptionEntry { name: step.0, is_custom: step.1, value })
    }

    fn option_step(&mut self) -> Parsed<(String, bool)> {
        if self.eat('(')? {
            let name = self.full_name()?;
            self.expect(')')?;
            return Ok((name, true));
        }
        Ok((self.word()?.to_owned(), false))
    }

    fn value(&mut self) -> Parsed<OptionValue> {
        match &self.next {
            Token::Symbol('{') => self.map('{', '}'),
            Token::Symbol('<') => self.map('<', '>'),
            Token::Symbol('[') => self.list(),
            Token::String(_) => Ok(OptionValue::String(self.text()?)),
            Token::Symbol(sign @ ('-' | '+')) => {
                let sign = if *sign == '-' { "-" } else { "" };
                self.advance()?;
                match self.advance()? {
                    Token::Number(text) | Token::Word(text) => {
                        Ok(OptionValue::Number(format!("{sign}{text}")))
                    }
                    _ => self.error("expected a number"),
                }
            }
            Token::Number(text) => {
                let value = OptionValue::Number((*text).to_owned());
                self.advance()?;
                Ok(value)
            }
            Token::Word(_) => Ok(OptionValue::Word(self.full_name()?)),
            _ => self.unexpected("a value"),
        }
    }

    /// A message in text format.
    fn map(&mut self, open: char, close: char) -> Parsed<OptionValue> {
        self.deeper(|this| {
            let mut entries: Vec<(String, OptionValue)> = Vec::new();
            this.expect(open)?;
            while !this.eat(close)? {
                let key = this.map_key()?;
                if !this.eat(':')? && !matches!(this.next, Token::Symbol('{' | '<')) {
                    return this.unexpected("':'");
                }
                let value = this.value()?;
                if entries.len() >= MAX_MAP_ENTRIES {
                    return this.error("too many entries in an option");
                }
                add_to_map(&mut entries, key, value);
                if !this.eat(',')? {
                    this.eat(';')?;
                }
            }
            Ok(OptionValue::Map(entries))
        })
    }

    fn map_key(&mut self) -> Parsed<String> {
        if !self.eat('[')? {
            return Ok(self.word()?.to_owned());
        }
        let mut name = self.full_name()?;
        // The address of the type of an Any.
        while self.eat('/')? {
            name.push('/');
            name.push_str(&self.full_name()?);
        }
        self.expect(']')?;
        Ok(format!("[{name}]"))
    }

    fn list(&mut self) -> Parsed<OptionValue> {
        self.deeper(|this| {
            let mut items = Vec::new();
            this.expect('[')?;
            while !this.eat(']')? {
                items.push(this.value()?);
                if !this.eat(',')? && !this.is_symbol(']') {
                    return this.unexpected("',' or ']'");
                }
            }
            Ok(OptionValue::List(items))
        })
    }
}

enum FieldOrGroup {
    Field(Field),
    Group(Group),
}

fn push(bytes: &mut Vec<u8>, byte: u8) -> Parsed<()> {
    bytes.push(byte);
    Ok(())
}

/// Decimal, `0x` or, with a leading zero, octal.
pub(super) fn integer(digits: &str) -> Option<i64> {
    if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        return i64::from_str_radix(hex, 16).ok();
    }
    match digits.strip_prefix('0') {
        Some(octal) if !octal.is_empty() => i64::from_str_radix(octal, 8).ok(),
        _ => digits.parse().ok(),
    }
}

/// Takes an entry out that is written like an option and is none.
fn take_value(options: &mut Vec<OptionEntry>, name: &str) -> Option<OptionValue> {
    let at = options.iter().rposition(|option| !option.is_custom && option.name == name)?;
    let value = options.remove(at).value;
    options.retain(|option| option.is_custom || option.name != name);
    Some(value)
}

/// The same name again adds to a list.
pub(super) fn add_to_map(
    entries: &mut Vec<(String, OptionValue)>,
    key: String,
    value: OptionValue,
) {
    let Some((_, existing)) = entries.iter_mut().find(|(name, _)| *name == key) else {
        entries.push((key, value));
        return;
    };
    let mut items = match std::mem::replace(existing, OptionValue::List(Vec::new())) {
        OptionValue::List(items) => items,
        single => vec![single],
    };
    match value {
        OptionValue::List(more) => items.extend(more),
        single => items.push(single),
    }
    *existing = OptionValue::List(items);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::text;
    use super::*;

    /// Texts that come closer to a file than any text does.
    fn token_soup() -> impl Strategy<Value = String> {
        let token = prop::sample::select(vec![
            "message",
            "enum",
            "oneof",
            "A",
            "b",
            "{",
            "}",
            "=",
            "1",
            ";",
            "repeated",
            "string",
            "map",
            "<",
            ">",
            ",",
            "reserved",
            "to",
            "max",
            "option",
            "(",
            ")",
            ".",
            "[",
            "]",
            ":",
            "\"x\"",
            "'\\n'",
            "-",
            "0x1F",
            "1.5e3",
            "extend",
            "extensions",
            "group",
            "service",
            "rpc",
            "returns",
            "stream",
            "import",
            "syntax",
            "package",
            "optional",
            "// c\n",
            "/*",
            "*/",
        ]);
        prop::collection::vec(token, 0..40).prop_map(|tokens| tokens.join(" "))
    }

    /// What can be read is written as what is read the same again.
    fn check(text: &str) -> Result<(), TestCaseError> {
        if let Ok(file) = parse(text) {
            let canonical = text::canonical(&file);
            let again = parse(&canonical).map_err(|error| {
                TestCaseError::fail(format!("{error}: {canonical:?} of {text:?}"))
            })?;
            prop_assert_eq!(text::canonical(&again), canonical);
        }
        Ok(())
    }

    #[test]
    fn quotes_survive_where_no_author_writes_them() {
        let text = "import 'a\"b\\\\'; message A { reserved 'c\"'; }";
        let file = parse(text).unwrap();
        assert_eq!(parse(&text::canonical(&file)), Ok(file));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text: String) {
            check(&text)?;
        }

        #[test]
        fn any_tokens_are_read_or_refused(text in token_soup()) {
            check(&text)?;
            check(&format!("syntax = \"proto3\"; message M {{ {text} }}"))?;
            check(&format!("message M {{ optional int32 a = 1 [(o) = {{ {text} }}]; }}"))?;
            check(&format!("enum E {{ A = 0; {text} }}"))?;
        }
    }
}
