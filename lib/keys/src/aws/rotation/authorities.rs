//! Which authority issues.

use async_trait::async_trait;
use credlink_pipeline::timestamp::Timestamp;

use super::{drop_box::DropBox, kms_authority::KmsAuthority, private_ca::PrivateCa, record_fault};
use crate::{
    aws::records::SignerRecords,
    rotation::{
        AuthorityChoice,
        ports::{Authority, Fault, Issuance, RotationId},
    },
};

/// The authorities that there are, and which one was chosen.
#[derive(Clone, Debug)]
pub struct Authorities {
    /// What the operator chose. Automatically it is the internal one when nobody is active or when the active chain came
    /// from it, and otherwise the one elsewhere.
    pub choice: AuthorityChoice,
    /// The internal one.
    pub internal: KmsAuthority,
    /// AWS Private CA, when one is named.
    pub private_ca: Option<PrivateCa>,
    /// The one elsewhere.
    pub external: DropBox,
    /// Who is active.
    pub records: SignerRecords,
}

impl Authorities {
    async fn chosen(&self) -> Result<&dyn Authority, Fault> {
        match self.choice {
            AuthorityChoice::Auto => {
                let active = self.records.active().await.map_err(|error| record_fault::of(&error))?;
                match active {
                    Some(active) if !self.internal.issued(active.chain()).await? => Ok(&self.external),
                    _ => Ok(&self.internal),
                }
            }
            choice => self.of(choice),
        }
    }

    fn of(&self, choice: AuthorityChoice) -> Result<&dyn Authority, Fault> {
        match (choice, &self.private_ca) {
            (AuthorityChoice::External, _) => Ok(&self.external),
            (AuthorityChoice::PrivateCa, Some(private_ca)) => Ok(private_ca),
            (AuthorityChoice::PrivateCa, None) => Err(Fault::lasting(
                "AWS Private CA",
                "no authority is named",
                "give the ARN of one in PRIVATE_CA_ARN, the template's parameter PrivateCaArn",
            )),
            (AuthorityChoice::Internal | AuthorityChoice::Auto, _) => Ok(&self.internal),
        }
    }
}

/// Which authority gave a receipt: a place in S3, the ARN of a certificate, or the name of the rotation.
fn asked(receipt: &str) -> AuthorityChoice {
    match receipt.split_once(':') {
        Some(("s3", _)) => AuthorityChoice::External,
        Some(("arn", _)) => AuthorityChoice::PrivateCa,
        _ => AuthorityChoice::Internal,
    }
}

#[async_trait]
impl Authority for Authorities {
    fn name(&self) -> String {
        match (self.choice, &self.private_ca) {
            (AuthorityChoice::Internal, _) => self.internal.name(),
            (AuthorityChoice::PrivateCa, Some(private_ca)) => private_ca.name(),
            (AuthorityChoice::External, _) => self.external.name(),
            (choice, _) => format!("the authority ({choice})"),
        }
    }

    async fn request(&self, rotation: RotationId, request: &[u8], now: Timestamp) -> Result<String, Fault> {
        self.chosen().await?.request(rotation, request, now).await
    }

    async fn collect(&self, rotation: RotationId, receipt: &str, now: Timestamp) -> Result<Issuance, Fault> {
        let asked = asked(receipt);
        if ![AuthorityChoice::Auto, asked].contains(&self.choice) {
            return Err(Fault::lasting(
                self.name(),
                format!("the request went to another authority ({asked})"),
                "nothing needs to be done: the rotation is given up, and the next run asks this one",
            ));
        }
        self.of(asked)?.collect(rotation, receipt, now).await
    }

    /// Whoever it was: another one may be chosen now than when the request was made.
    async fn forget(&self, rotation: RotationId, receipt: &str) -> Result<(), Fault> {
        self.internal.forget(rotation, receipt).await?;
        self.external.forget(rotation, receipt).await
    }
}
