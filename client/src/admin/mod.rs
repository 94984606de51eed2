//! Administration: topics, settings, groups, offsets, nodes.
//!
//! Each function sends one typed request to the node that has to answer it,
//! tries again what may succeed the second time (within
//! [`ClientConfig::api_timeout`](crate::ClientConfig::api_timeout)), and answers
//! with one result for each item. The outer result is an error only when the
//! request as a whole had no answer.

mod configs;

pub(crate) use configs::auto_creates_topics;
