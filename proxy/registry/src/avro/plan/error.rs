//! Why data does not fit its schema, and where.

use std::borrow::Cow;
use std::fmt;

/// JSON that does not fit a schema. The message names the place, and a field
/// that is missing by its name; it holds no more than a few words of the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodeError(Box<Problem>);

/// Bytes that are no datum of a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError(Box<Problem>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Problem {
    reason: Cow<'static, str>,
    /// Offset in the text or in the datum.
    offset: usize,
    /// Innermost first.
    path: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Name(String),
    Index(usize),
}

impl Problem {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at ", self.reason)?;
        // A place in a deep datum is not spelled out to its end.
        const STEPS: usize = 32;
        for step in self.path.iter().rev().take(STEPS) {
            match step {
                Step::Name(name) => write!(f, "/{name}")?,
                Step::Index(index) => write!(f, "/{index}")?,
            }
        }
        match self.path.len() {
            0 => f.write_str("/")?,
            1..=STEPS => {}
            _ => f.write_str("/…")?,
        }
        write!(f, ", byte {})", self.offset)
    }
}

macro_rules! problem {
    ($error:ident) => {
        impl $error {
            #[cold]
            pub(super) fn new(reason: impl Into<Cow<'static, str>>, offset: usize) -> Self {
                Self(Box::new(Problem { reason: reason.into(), offset, path: Vec::new() }))
            }

            /// The same problem, seen from outside the field or key `name`.
            #[cold]
            pub(super) fn inside(mut self, name: &str) -> Self {
                self.0.path.push(Step::Name(name.to_owned()));
                self
            }

            /// The same problem, seen from outside the element at `index`.
            #[cold]
            pub(super) fn inside_element(mut self, index: usize) -> Self {
                self.0.path.push(Step::Index(index));
                self
            }
        }

        impl fmt::Display for $error {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.write(f)
            }
        }

        impl std::error::Error for $error {}
    };
}

problem!(EncodeError);
problem!(DecodeError);
