//! OpenSSL as the judge of requests and chains.

use credlink_keys::{
    KeyKind,
    rotation::{AuthorityChoice, Outcome, Rotation, RotationPolicy, Trigger, local},
};

use crate::{
    places::InFolder,
    support::{files, openssl_ok},
};

#[tokio::test]
async fn every_request_and_every_chain_meets_the_profile() {
    for kind in KeyKind::ALL {
        let place = InFolder::new(AuthorityChoice::External);
        let policy = RotationPolicy { kind: Some(kind), ..RotationPolicy::default() };
        let asking = Rotation::new(place.ports.clone(), policy.clone());
        asking.run(Trigger::Forced, &|| false).await.unwrap();
        let request = files(&place.keys()).into_iter().find(|name| name.ends_with(".csr.pem")).unwrap();
        let request = place.keys().join(request).display().to_string();
        let printed = openssl_ok(&["req", "-in", &request, "-noout", "-verify", "-text"]);
        for expected in [
            "O = CredLink Local, CN = CredLink Local Signer",
            "X509v3 Key Usage: critical\n                    Digital Signature, Non Repudiation\n",
            "X509v3 Extended Key Usage: \n                    1.3.6.1.4.1.62558.2.1, E-mail Protection\n",
            "X509v3 Basic Constraints: critical\n                    CA:FALSE\n",
        ] {
            assert!(printed.contains(expected), "{kind}: no {expected:?} in\n{printed}");
        }

        let ports = local::ports(&place.keys(), AuthorityChoice::Internal, place.ports.clock.clone());
        let report = Rotation::new(ports, policy).run(Trigger::Forced, &|| false).await.unwrap();
        let Outcome::Rotated { to, .. } = &report.outcome else { panic!("{report}") };
        assert_eq!(to.kind, kind);
        let path = |name: &str| place.keys().join(name).display().to_string();
        let (root, intermediate, signer) = (path("root.pem"), path("intermediate.pem"), path("signer.pem"));
        let checks = ["verify", "-x509_strict", "-purpose", "smimesign", "-CAfile", &root, "-untrusted"];
        openssl_ok(&[&checks[..], &[&intermediate, &signer]].concat());
        openssl_ok(&["pkey", "-in", &signer, "-noout", "-check"]);
    }
}
