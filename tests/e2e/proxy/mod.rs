//! Tests of the REST proxy on whatever broker [`Stack`](crate::harness::Stack) names.

mod consumers;
mod golden;
mod negotiation;
mod schemas;
mod transcripts;
