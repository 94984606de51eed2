//! InitProducerId, versions 0 to 5: an id for an idempotent producer.
//!
//! 3 brings the id that a transactional producer has (KIP-360). Who only wants
//! idempotence gets a new id each time, as from Kafka. Ids are unique for ever.

use protocol::ErrorCode;
use protocol::messages::{InitProducerIdRequest, InitProducerIdResponse};

use super::Handler;
use crate::context::Context;
use crate::node::Node;

impl Handler for InitProducerIdRequest {
    async fn handle(self, node: &Node, _: &Context) -> InitProducerIdResponse {
        if self.transactional_id.is_some() {
            // Not retriable: a client that asks again would wait for nothing.
            return self.refuse(ErrorCode::InvalidRequest);
        }
        match node.controller().next_producer_id().await {
            Ok(producer_id) => InitProducerIdResponse { producer_id, ..Default::default() },
            Err(error) => {
                let code = error.error_code();
                self.refuse(code)
            }
        }
    }

    fn refuse(self, error_code: ErrorCode) -> InitProducerIdResponse {
        InitProducerIdResponse { error_code, producer_epoch: -1, ..Default::default() }
    }
}
