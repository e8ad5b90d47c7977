//! Where devices find what they ask for, and what they hear elsewhere.

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};

use crate::world::World;

#[tokio::test]
async fn a_slash_too_many_leads_nowhere_else() {
    let world = World::new().await;
    let _server = world.start("data");
    let ask = async |path: &str| {
        let request = Request::get(format!("{}{path}", world.url())).body(Bytes::new());
        world.transport().send(request.unwrap()).await.unwrap()
    };
    for path in [
        "/mdm",
        "/mdm/",
        "//mdm",
        "/checkin",
        "/checkin/",
        "//checkin//",
    ] {
        let answer = ask(path).await;
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
        let allowed = &answer.headers()[header::ALLOW];
        assert_eq!(allowed, Method::PUT.as_str(), "{path}");
    }
    for path in [
        "/scep",
        "/scep/",
        "//scep",
        "/scep//",
        "/scep/pkiclient.exe",
    ] {
        let answer = ask(&format!("{path}?operation=GetCACaps")).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
    }
    for path in ["/mdm/other", "/checkins", "/other//", "//"] {
        assert_eq!(ask(path).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
}
