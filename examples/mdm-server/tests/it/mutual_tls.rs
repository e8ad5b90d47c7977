//! Devices that show their certificates in TLS, which ends in the program.

use std::sync::{Arc, Mutex};

use mdm_sdk::{
    pki::Identity,
    transport::{HttpTransport, transport_fn},
};
use mdm_simulator::Device;

use crate::world::{Server, World};

/// What a device shows from its next request on.
#[derive(Clone)]
struct Shows(Arc<Mutex<Arc<dyn HttpTransport>>>);

impl Shows {
    fn identity(&self, world: &World, identity: Option<&Identity>) {
        *self.0.lock().unwrap() = world.transport_as(identity);
    }
}

/// A device that has obtained its identity and shows nothing.
async fn device(world: &World, server: &Server, serial: &str) -> (Device, Shows) {
    let shows = Shows(Arc::new(Mutex::new(world.transport())));
    let shared = shows.clone();
    let transport = transport_fn(move |request| {
        let transport = Arc::clone(&*shared.0.lock().unwrap());
        async move { transport.send(request).await }
    });
    let mut device = world.device_over(serial, Arc::new(transport));
    world.identify(server, &mut device).await;
    (device, shows)
}

fn told<T, E: std::fmt::Debug>(result: Result<T, E>) -> String {
    match result {
        Ok(_) => "taken".to_owned(),
        Err(error) => format!("{error:?}"),
    }
}

#[tokio::test]
async fn a_device_is_known_by_the_certificate_that_it_shows_and_by_no_other() {
    let mut world = World::new().await;
    for counts in ["only", "both"] {
        world.more = format!("listen.client_certificates = {counts:?}");
        let server = world.start(counts);
        let (mut first, shows) = device(&world, &server, "C02MS0000001").await;
        // Nothing is shown: it is not enough to sign.
        let refused = told(first.authenticate().await);
        assert!(refused.contains("400"), "{counts}: {refused}");
        shows.identity(&world, first.identity());
        first.authenticate().await.unwrap();
        first.update_token().await.unwrap();
        assert_eq!(world.call(&mut first).await, ["DeviceInformation"]);

        // With another's certificate it is neither itself nor the other.
        let (other, others) = device(&world, &server, "C02MS0000002").await;
        others.identity(&world, first.identity());
        let refused = told(other.authenticate().await);
        let status = if counts == "both" { "400" } else { "403" };
        assert!(refused.contains(status), "{counts}: {refused}");
        // One of another issuer gets no connection, and no answer that could unenrol anybody.
        shows.identity(&world, Some(&world.web.server_identity().unwrap()));
        let refused = told(first.poll().await);
        assert!(
            !refused.contains("taken") && !refused.contains("40"),
            "{counts}: {refused}"
        );
        shows.identity(&world, first.identity());
        assert!(first.poll().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_fleet_moves_from_signatures_to_mutual_tls_device_by_device() {
    let mut world = World::new().await;
    world.more = "listen.client_certificates = \"either\"".to_owned();
    let server = world.start("data");
    let mut signs = world.enroll(&server, "C02MS0000001").await;
    assert_eq!(world.call(&mut signs).await, ["DeviceInformation"]);
    let (mut shows_too, shows) = device(&world, &server, "C02MS0000002").await;
    shows.identity(&world, shows_too.identity());
    shows_too.authenticate().await.unwrap();
    shows_too.update_token().await.unwrap();
    assert_eq!(world.call(&mut shows_too).await, ["DeviceInformation"]);
    // Two proofs of two certificates are none.
    shows.identity(&world, signs.identity());
    let refused = told(shows_too.poll().await);
    assert!(refused.contains("400"), "{refused}");
}
