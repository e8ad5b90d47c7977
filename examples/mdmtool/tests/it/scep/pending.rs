//! Requests that wait for a person.

use super::world::{World, enroll};

fn waiting(world: &World) -> Vec<serde_json::Value> {
    world
        .json("pending --store scep.db")
        .as_array()
        .unwrap()
        .clone()
}

#[test]
fn what_is_approved_is_fetched_by_the_same_command() {
    let world = World::new();
    let server = world.serve("--approve");
    world.challenge("challenge", "--bind-cn a");
    let line = enroll(&server, "a");
    let told = world.run(&line);
    told.failed(1, &["is pending", "--poll"]);
    world.run(&format!("{line} --json")).error(1, "pending");
    let requests = waiting(&world);
    assert_eq!(requests.len(), 1);
    assert_eq!(
        (&requests[0]["subject"], &requests[0]["label"]),
        (&"CN=a".into(), &"test".into())
    );
    world
        .run("approve --store scep.db ffff-")
        .failed(2, &["not exactly one"]);
    let id = requests[0]["id"].as_str().unwrap();
    let told = world.run(&format!("approve --store scep.db {}", &id[..12]));
    told.succeeded();
    assert!(told.stdout.starts_with("approved"), "{told:?}");
    assert!(waiting(&world).is_empty());
    world.run(&line).succeeded();
    assert_eq!(world.listed().len(), 1);
}

#[test]
fn a_command_that_polls_has_its_certificate_once_somebody_approves() {
    let world = World::new();
    let server = world.serve("--approve --without-challenge");
    let line = format!(
        "enroll {} --subject CN=a --san dns:a.example --key-out key --cert-out cert --poll --retries 100000 \
         --retry-delay 0s",
        server.trusted()
    );
    let child = world.command(&line).spawn().unwrap();
    server.event("pending");
    let requests = waiting(&world);
    assert_eq!(requests[0]["alternative_names"][0], "dns:a.example");
    let id = requests[0]["id"].as_str().unwrap();
    world
        .run(&format!("approve --store scep.db {id}"))
        .succeeded();
    let told = crate::told::Told::from(child.wait_with_output().unwrap());
    told.succeeded();
    assert_eq!(world.certificate("cert").subject().to_string(), "CN=a");
}

#[test]
fn what_is_denied_gets_nothing_and_hears_no_reason() {
    let world = World::new();
    let server = world.serve("--approve --without-challenge");
    let line = format!(
        "enroll {} --subject CN=a --key-out key --cert-out cert",
        server.trusted()
    );
    world.run(&line).failed(1, &["pending"]);
    let id = waiting(&world)[0]["id"].as_str().unwrap().to_owned();
    let told = world
        .command(&format!("deny --store scep.db {id} --reason"))
        .arg("nobody knows it")
        .output();
    crate::told::Told::from(told.unwrap()).succeeded();
    let told = world.run(&line);
    told.failed(1, &["refused", "denied"]);
    told.holds_none_of(&["nobody knows"]);
    let refused = server.event("refused");
    assert!(
        refused["why"].as_str().unwrap().contains("nobody knows it"),
        "{refused}"
    );
    assert!(world.listed().is_empty() && !world.path("cert").exists());
}
