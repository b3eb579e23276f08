//! The four calls of AWS Private CA that a rotation makes, played by a test: it checks what AWS checks, honours the
//! template, the request and the pass-through, and issues real certificates.

use std::collections::HashMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use credlink_local_aws::{Call, Fate};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SubjectPublicKeyInfo,
};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use x509_parser::{certification_request::X509CertificationRequest, prelude::FromDer};

use crate::issuer::name;

pub(crate) const ARN: &str =
    "arn:aws:acm-pca:eu-central-1:000000000000:certificate-authority/11112222-3333-4444-5555-666677778888";

/// What it does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trick {
    None,
    /// Answers an operation with this error.
    Fails(&'static str, u16, &'static str),
    /// Says so many times that it is not done yet.
    Slow(usize),
    AnotherKey,
    AnotherPurpose,
    NoPurpose,
    Expired,
    Lasts(i64),
    IsAuthority,
    WithoutChain,
    Garbage,
    ShortLived,
    Disabled,
    AboutToExpire,
}

/// A root and the subordinate authority below it.
pub(crate) struct FakeCa {
    trick: Trick,
    root: String,
    params: CertificateParams,
    key: KeyPair,
    pem: String,
    issued: HashMap<String, String>,
    by_token: HashMap<String, String>,
    asked: usize,
}

impl FakeCa {
    pub(crate) fn new(trick: Trick) -> Self {
        let authority = |name_: &str| {
            let mut params = CertificateParams::default();
            params.distinguished_name = name(name_);
            params.not_before = OffsetDateTime::now_utc() - Duration::days(1);
            params.not_after = OffsetDateTime::now_utc() + Duration::days(3000);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
            params
        };
        let (root_params, root_key) = (authority("Private Root"), KeyPair::generate().unwrap());
        let root = root_params.self_signed(&root_key).unwrap().pem();
        let (mut params, key) = (authority("Private Intermediate"), KeyPair::generate().unwrap());
        params.use_authority_key_identifier_extension = true;
        let pem = params.signed_by(&key, &Issuer::from_params(&root_params, &root_key)).unwrap().pem();
        Self { trick, root, params, key, pem, issued: HashMap::new(), by_token: HashMap::new(), asked: 0 }
    }

    /// What becomes of a call; those of other services go through.
    pub(crate) fn answer(&mut self, call: &Call) -> Fate {
        if let Trick::Fails(operation, status, code) = self.trick
            && call.operation == operation
        {
            return Fate::Fail(status, code);
        }
        let asked: Value = serde_json::from_slice(&call.body).unwrap_or_default();
        let answer = match call.operation.as_str() {
            "DescribeCertificateAuthority" => Ok(self.describe()),
            "IssueCertificate" => self.issue(&asked),
            "GetCertificate" => self.certificate(&asked),
            "GetCertificateAuthorityCertificate" => Ok(self.issuers()),
            _ => return Fate::Pass,
        };
        match answer {
            _ if asked["CertificateAuthorityArn"] != ARN => Fate::Fail(400, "ResourceNotFoundException"),
            Ok(answer) => Fate::Answer(200, answer.to_string()),
            Err(code) => Fate::Fail(400, code),
        }
    }

    fn describe(&self) -> Value {
        let mode =
            if self.trick == Trick::ShortLived { "SHORT_LIVED_CERTIFICATE" } else { "GENERAL_PURPOSE" };
        let days = if self.trick == Trick::AboutToExpire { 60 } else { 3000 };
        json!({"CertificateAuthority": {
            "Arn": ARN,
            "Status": if self.trick == Trick::Disabled { "DISABLED" } else { "ACTIVE" },
            "UsageMode": mode,
            "NotAfter": (OffsetDateTime::now_utc() + Duration::days(days)).unix_timestamp(),
            "CertificateAuthorityConfiguration": {
                "KeyAlgorithm": "EC_prime256v1", "SigningAlgorithm": "SHA256WITHECDSA", "Subject": {},
            },
        }})
    }

    /// As <https://docs.aws.amazon.com/privateca/latest/APIReference/API_IssueCertificate.html> says.
    fn issue(&mut self, asked: &Value) -> Result<Value, &'static str> {
        let token = asked["IdempotencyToken"].as_str().filter(|token| token.len() <= 36);
        let token = token.ok_or("InvalidArgsException")?.to_owned();
        if let Some(arn) = self.by_token.get(&token) {
            return Ok(json!({"CertificateArn": arn}));
        }
        let template =
            "arn:aws:acm-pca:::template/BlankEndEntityCertificate_CriticalBasicConstraints_APIPassthrough/V1";
        if asked["TemplateArn"] != template || asked["SigningAlgorithm"] != "SHA256WITHECDSA" {
            return Err("InvalidArgsException");
        }
        let days = asked["Validity"]["Value"].as_i64().filter(|_| asked["Validity"]["Type"] == "DAYS");
        let days = days.filter(|days| (1..3000).contains(days)).ok_or("ValidationException")?;
        let pem =
            asked["Csr"].as_str().and_then(|csr| STANDARD.decode(csr).ok()).ok_or("MalformedCSRException")?;
        let leaf = self.leaf(&pem, days, &asked["ApiPassthrough"]["Extensions"])?;
        let arn = format!("{ARN}/certificate/{:032x}", self.issued.len() + 1);
        self.issued.insert(arn.clone(), leaf);
        self.by_token.insert(token, arn.clone());
        Ok(json!({"CertificateArn": arn}))
    }

    fn leaf(&self, pem: &[u8], days: i64, extensions: &Value) -> Result<String, &'static str> {
        let request = pem::parse(pem).ok().filter(|pem| pem.tag() == "CERTIFICATE REQUEST");
        let request = request.ok_or("MalformedCSRException")?.into_contents();
        let (_, parsed) =
            X509CertificationRequest::from_der(&request).map_err(|_| "MalformedCSRException")?;
        parsed.verify_signature().map_err(|_| "MalformedCSRException")?;
        let info = parsed.certification_request_info;

        let mut params = CertificateParams::default();
        let mut subject = DistinguishedName::new();
        for (kind, value) in [
            (DnType::OrganizationName, info.subject.iter_organization().next()),
            (DnType::CommonName, info.subject.iter_common_name().next()),
        ] {
            subject.push(kind, value.and_then(|value| value.as_str().ok()).ok_or("MalformedCSRException")?);
        }
        params.distinguished_name = subject;
        params.not_before = OffsetDateTime::now_utc() - Duration::hours(1);
        params.not_after = OffsetDateTime::now_utc() + Duration::days(days);
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        let usage = &extensions["KeyUsage"];
        for (name, purpose) in [
            ("DigitalSignature", KeyUsagePurpose::DigitalSignature),
            ("NonRepudiation", KeyUsagePurpose::ContentCommitment),
            ("KeyCertSign", KeyUsagePurpose::KeyCertSign),
        ] {
            if usage[name] == true {
                params.key_usages.push(purpose);
            }
        }
        for purpose in extensions["ExtendedKeyUsage"].as_array().ok_or("InvalidArgsException")? {
            let known = purpose["ExtendedKeyUsageType"] == "EMAIL_PROTECTION";
            let other = purpose["ExtendedKeyUsageObjectIdentifier"].as_str();
            params.extended_key_usages.push(match other {
                Some(oid) => {
                    ExtendedKeyUsagePurpose::Other(oid.split('.').map(|arc| arc.parse().unwrap()).collect())
                }
                None if known => ExtendedKeyUsagePurpose::EmailProtection,
                None => return Err("InvalidArgsException"),
            });
        }
        let own =
            SubjectPublicKeyInfo::from_der(info.subject_pki.raw).map_err(|_| "MalformedCSRException")?;
        let key = self.play(&mut params).unwrap_or(own);
        Ok(params.signed_by(&key, &Issuer::from_params(&self.params, &self.key)).unwrap().pem())
    }

    /// What goes wrong with a leaf; another key, if that is it.
    fn play(&self, params: &mut CertificateParams) -> Option<SubjectPublicKeyInfo> {
        match self.trick {
            Trick::AnotherKey => {
                let other = rcgen::PublicKeyData::subject_public_key_info(&KeyPair::generate().unwrap());
                return SubjectPublicKeyInfo::from_der(&other).ok();
            }
            Trick::AnotherPurpose => params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth],
            Trick::NoPurpose => params.extended_key_usages.clear(),
            Trick::Expired => {
                params.not_before = OffsetDateTime::now_utc() - Duration::days(200);
                params.not_after = OffsetDateTime::now_utc() - Duration::days(1);
            }
            Trick::Lasts(days) => params.not_after = OffsetDateTime::now_utc() + Duration::days(days),
            Trick::IsAuthority => params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained),
            _ => {}
        }
        None
    }

    fn certificate(&mut self, asked: &Value) -> Result<Value, &'static str> {
        self.asked += 1;
        if let Trick::Slow(times) = self.trick
            && self.asked <= times
        {
            return Err("RequestInProgressException");
        }
        let leaf = self.issued.get(asked["CertificateArn"].as_str().unwrap_or_default());
        let leaf = leaf.ok_or("ResourceNotFoundException")?;
        let leaf = if self.trick == Trick::Garbage { "-----BEGIN CERTIFICATE-----\nAAAA" } else { leaf };
        Ok(json!({"Certificate": leaf, "CertificateChain": format!("{}{}", self.pem, self.root)}))
    }

    fn issuers(&self) -> Value {
        match self.trick {
            Trick::WithoutChain => json!({"Certificate": self.pem}),
            _ => json!({"Certificate": self.pem, "CertificateChain": self.root}),
        }
    }
}
