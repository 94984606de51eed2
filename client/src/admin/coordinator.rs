//! Finds the coordinator of a group and asks it.

use protocol::messages::FindCoordinatorRequest;
use protocol::{ErrorCode, Request, Str};

use super::Attempts;
use crate::client::is_safe_to_repeat;
use crate::{Client, Error, Purpose, Target};

/// The kind of key that names a group in a coordinator lookup.
const GROUP_KEY: i8 = 0;

/// The node that coordinates `group`, from the cache if it is there. Waits
/// while the coordinator is being made available.
pub async fn find_coordinator(client: &Client, group: &Str) -> Result<i32, Error> {
    let mut attempts = Attempts::new(client);
    loop {
        match look_up(client, group).await {
            Err(error) if is_passing(error.error_code()) && attempts.pause().await => {}
            outcome => return outcome,
        }
    }
}

async fn look_up(client: &Client, group: &Str) -> Result<i32, Error> {
    if let Some(node) = client.cached_coordinator(group) {
        return Ok(node);
    }
    let request = FindCoordinatorRequest {
        key: group.clone(),
        key_type: GROUP_KEY,
        coordinator_keys: vec![group.clone()],
    };
    let answer = client.call(Target::Any, Purpose::General, request).await?;
    // One answer for each key from version 4 on.
    let (code, message, node) =
        match answer.coordinators.into_iter().find(|found| found.key == *group) {
            Some(found) => (found.error_code, found.error_message, found.node_id),
            None => (answer.error_code, answer.error_message, answer.node_id),
        };
    Error::check(code, message.as_ref())?;
    client.cache_coordinator(group, Some(node));
    Ok(node)
}

/// Sends a request to the coordinator of `group`, and again to the next one
/// while `code` finds in the answer that there is none, or another one.
pub(super) async fn call_coordinator<R: Request + Clone>(
    client: &Client,
    group: &Str,
    max_version: i16,
    request: &R,
    code: impl Fn(&R::Response) -> ErrorCode,
) -> Result<R::Response, Error> {
    let mut attempts = Attempts::new(client);
    loop {
        let outcome = match find_coordinator(client, group).await {
            Ok(node) => {
                client
                    .call_at_most(
                        Target::Node(node),
                        Purpose::General,
                        request.clone(),
                        max_version,
                    )
                    .await
            }
            Err(error) => return Err(error),
        };
        let again = match &outcome {
            Ok(answer) => is_passing(code(answer)),
            Err(Error::Connect { .. } | Error::UnknownNode(_)) => true,
            Err(Error::Disconnected { .. }) => is_safe_to_repeat(R::KEY),
            Err(_) => false,
        };
        if !again {
            return outcome;
        }
        client.cache_coordinator(group, None);
        if !attempts.pause().await {
            return outcome;
        }
    }
}

/// Whether the answer of a coordinator says to try again, perhaps elsewhere.
fn is_passing(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::CoordinatorLoadInProgress
            | ErrorCode::CoordinatorNotAvailable
            | ErrorCode::NotCoordinator
    )
}
