//! Parameters in the query of a request.

use std::str::FromStr;

use actix_web::HttpRequest;
use actix_web::web::Query;

use crate::error::Error;

/// The first parameter of this name that is not empty.
///
/// # Errors
/// 404 when it cannot be read, as the reference answers.
pub(crate) fn parameter<T: FromStr>(request: &HttpRequest, name: &str) -> Result<Option<T>, Error> {
    // Mostly there is none at all.
    if !request.query_string().contains(name) {
        return Ok(None);
    }
    let parameters = Query::<Vec<(String, String)>>::from_query(request.query_string());
    let parameters = parameters.map_err(|_| Error::NotFound)?.into_inner();
    let given = parameters.into_iter().find(|(key, _)| key == name).map(|(_, text)| text);
    given
        .filter(|text| !text.is_empty())
        .map(|text| text.parse().map_err(|_| Error::NotFound))
        .transpose()
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn the_first_parameter_counts() {
        let timeout = |query: &str| {
            let request = TestRequest::with_uri(&format!("/records{query}")).to_http_request();
            parameter::<i64>(&request, "timeout").ok()
        };
        assert_eq!(timeout(""), Some(None));
        assert_eq!(timeout("?max_bytes=1"), Some(None));
        assert_eq!(timeout("?timeout="), Some(None));
        assert_eq!(timeout("?x=y&timeout=5&timeout=6"), Some(Some(5)));
        assert_eq!(timeout("?timeout=%2D1"), Some(Some(-1)));
        assert_eq!(timeout("?timeout=abc"), None);
        assert_eq!(timeout("?no_timeout=abc"), Some(None));
    }
}
