//! placeholder
pub mod consumer;
