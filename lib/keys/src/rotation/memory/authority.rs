//! An authority that does as a test says: issue well, issue badly, refuse, be slow.

use std::{
    collections::HashMap,
    future,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use credlink_pipeline::timestamp::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PublicKeyData, SerialNumber, SubjectPublicKeyInfo,
};
use time::Duration;
use uuid::Uuid;

use crate::{
    authority::make_claim_signer,
    pem_file::{self, PemFile},
    rotation::{
        ports::{Authority, Fault, Issuance, RotationId},
        verified_public_key,
    },
};

/// What the authority does when it is asked for a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Behaviour {
    /// Issues what the profile asks for.
    #[default]
    Issues,
    /// Lets people wait.
    Waits,
    /// Says no.
    Refuses,
    /// Is out of order, for now.
    Fails,
    /// Never answers.
    IsSilent,
    /// Issues for another key.
    OtherKey,
    /// Issues for this key, `SubjectPublicKeyInfo` in DER.
    ThisKey(Vec<u8>),
    /// Issues for e-mail in TLS, so to speak: an extended key usage that C2PA does not take.
    OtherPurpose,
    /// Issues a certificate whose time is over.
    Expired,
    /// Issues a certificate whose time is to come in half an hour.
    NotYet,
    /// Leaves the intermediate out.
    ChainMissing,
    /// Sends something else.
    Garbage,
    /// Issues an authority's certificate.
    IsAuthority,
    /// Issues for ten years.
    TooLong,
    /// Issues for as many days as the profile asks for at least, and fewer than a rotation wants.
    Days(i64),
    /// Sends another root than the chain leads to.
    OtherRoot,
}

/// A root and an intermediate in memory.
pub struct ScriptedAuthority {
    root: Member,
    intermediate: Member,
    state: Mutex<Script>,
}

struct Member {
    params: CertificateParams,
    key: KeyPair,
    der: Vec<u8>,
}

#[derive(Default)]
struct Script {
    behaviour: Behaviour,
    requests: HashMap<RotationId, Vec<u8>>,
}

impl ScriptedAuthority {
    /// A new one, valid around `now` for twenty years.
    pub fn new(now: Timestamp) -> Self {
        let root = Member::new("Scripted Root", now, None);
        let intermediate = Member::new("Scripted Intermediate", now, Some(&root));
        Self { root, intermediate, state: Mutex::default() }
    }

    /// What it does from now on.
    pub fn behave(&self, behaviour: Behaviour) {
        self.state().behaviour = behaviour;
    }

    /// How many requests it remembers.
    pub fn open_requests(&self) -> usize {
        self.state().requests.len()
    }

    /// Its root in PEM.
    pub fn root(&self) -> PemFile {
        certificates(&[&self.root.der])
    }

    /// A chain for a public key, `SubjectPublicKeyInfo` in DER, valid for `days`.
    pub fn issue(&self, public_key_info: &[u8], now: Timestamp, days: i64) -> PemFile {
        let leaf = self.leaf(public_key_info, now, |params| {
            params.not_after = params.not_before + Duration::days(days);
        });
        certificates(&[&leaf, &self.intermediate.der])
    }

    fn leaf(
        &self,
        public_key_info: &[u8],
        now: Timestamp,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Vec<u8> {
        let mut params = parameters("A Newsroom", now);
        params.not_after = params.not_before + Duration::days(365);
        params.use_authority_key_identifier_extension = true;
        make_claim_signer(&mut params);
        change(&mut params);
        let key = SubjectPublicKeyInfo::from_der(public_key_info).unwrap();
        params.signed_by(&key, &self.intermediate.issuer()).unwrap().der().to_vec()
    }

    fn state(&self) -> MutexGuard<'_, Script> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, request: &[u8], now: Timestamp, behaviour: &Behaviour) -> Result<Issuance, Fault> {
        let key = verified_public_key(request).unwrap();
        let other = || KeyPair::generate().unwrap().subject_public_key_info();
        let leaf = match behaviour {
            Behaviour::Refuses => return Err(Fault::lasting(self.name(), "it says no", "ask it why")),
            Behaviour::Fails => return Err(Fault::passing(self.name(), "it is out of order", "wait")),
            Behaviour::Waits => return Ok(Issuance::Waiting { reason: "somebody must say yes".to_owned() }),
            Behaviour::Garbage => {
                let chain = PemFile::new("the answer", b"<html>Error</html>".to_vec()).unwrap();
                return Ok(Issuance::Issued { chain, root: self.root() });
            }
            Behaviour::OtherKey => self.leaf(&other(), now, |_| {}),
            Behaviour::ThisKey(key) => self.leaf(key, now, |_| {}),
            Behaviour::OtherPurpose => self.leaf(&key, now, |params| {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            }),
            Behaviour::Expired => self.leaf(&key, now, |params| {
                params.not_before -= Duration::days(200);
                params.not_after = params.not_before + Duration::days(199);
            }),
            Behaviour::NotYet => self.leaf(&key, now, |params| params.not_before += Duration::minutes(40)),
            Behaviour::IsAuthority => {
                self.leaf(&key, now, |params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)))
            }
            Behaviour::TooLong => {
                self.leaf(&key, now, |params| params.not_after = params.not_before + Duration::days(3650))
            }
            Behaviour::Days(days) => {
                self.leaf(&key, now, |params| params.not_after = params.not_before + Duration::days(*days))
            }
            Behaviour::Issues | Behaviour::IsSilent | Behaviour::ChainMissing | Behaviour::OtherRoot => {
                self.leaf(&key, now, |_| {})
            }
        };
        let chain = match behaviour {
            Behaviour::ChainMissing => certificates(&[&leaf]),
            _ => certificates(&[&leaf, &self.intermediate.der]),
        };
        let root = match behaviour {
            Behaviour::OtherRoot => Self::new(now).root(),
            _ => self.root(),
        };
        Ok(Issuance::Issued { chain, root })
    }
}

#[async_trait]
impl Authority for ScriptedAuthority {
    fn name(&self) -> String {
        "the scripted authority".to_owned()
    }

    async fn request(&self, rotation: RotationId, request: &[u8], _: Timestamp) -> Result<String, Fault> {
        verified_public_key(request).unwrap();
        self.state().requests.insert(rotation, request.to_vec());
        Ok(format!("request {rotation}"))
    }

    async fn collect(&self, rotation: RotationId, receipt: &str, now: Timestamp) -> Result<Issuance, Fault> {
        assert_eq!(receipt, format!("request {rotation}"));
        let (request, behaviour) = {
            let state = self.state();
            (state.requests.get(&rotation).cloned(), state.behaviour.clone())
        };
        if behaviour == Behaviour::IsSilent {
            future::pending::<()>().await;
        }
        self.answer(&request.unwrap(), now, &behaviour)
    }

    async fn forget(&self, rotation: RotationId, _: &str) -> Result<(), Fault> {
        self.state().requests.remove(&rotation);
        Ok(())
    }
}

impl Member {
    fn new(name: &str, now: Timestamp, parent: Option<&Self>) -> Self {
        let mut params = parameters(name, now);
        params.not_before -= Duration::days(3650);
        params.not_after = params.not_before + Duration::days(7300);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.use_authority_key_identifier_extension = parent.is_some();
        let key = KeyPair::generate().unwrap();
        let certificate = match parent {
            Some(parent) => params.signed_by(&key, &parent.issuer()),
            None => params.self_signed(&key),
        };
        let der = certificate.unwrap().der().to_vec();
        Self { params, key, der }
    }

    fn issuer(&self) -> Issuer<'_, &KeyPair> {
        Issuer::from_params(&self.params, &self.key)
    }
}

fn parameters(common_name: &str, now: Timestamp) -> CertificateParams {
    let mut params = CertificateParams::default();
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, "Scripted Trust Services");
    name.push(DnType::CommonName, common_name);
    params.distinguished_name = name;
    params.serial_number = Some(SerialNumber::from_slice(Uuid::new_v4().as_bytes()));
    let now = now.as_offset_date_time();
    params.not_before = now.replace_nanosecond(0).unwrap_or(now) - Duration::minutes(5);
    params
}

fn certificates(ders: &[&[u8]]) -> PemFile {
    let pem: String = ders.iter().map(|der| pem_file::encode("CERTIFICATE", der)).collect();
    PemFile::new("the issued chain", pem.into_bytes()).unwrap()
}
