//! Hands out producer ids and epochs.
//!
//! Versions: 3 an epoch can be bumped by its owner (KIP-360) · 4, 5 new error codes.
//! Version 6 is not stable yet and is not known here.

use crate::message::messages;
use crate::{ApiKey, ErrorCode, Request, Str};

impl Request for InitProducerIdRequest {
    const KEY: ApiKey = ApiKey::InitProducerId;
    type Response = InitProducerIdResponse;
}

messages! {
    /// Which producer asks.
    struct InitProducerIdRequest {
        transactional_id: Option<Str> = Some(Default::default()), 0..;
        transaction_timeout_ms: i32, 0..;
        producer_id: i64 = -1, 3..;
        producer_epoch: i16 = -1, 3..;
        enable2_pc: bool, 6..;
        keep_prepared_txn: bool, 6..;
    }

    /// The producer id with its epoch.
    struct InitProducerIdResponse {
        throttle_time_ms: i32, 0..;
        error_code: ErrorCode, 0..;
        producer_id: i64 = -1, 0..;
        producer_epoch: i16, 0..;
        ongoing_txn_producer_id: i64 = -1, 6..;
        ongoing_txn_producer_epoch: i16 = -1, 6..;
    }
}
