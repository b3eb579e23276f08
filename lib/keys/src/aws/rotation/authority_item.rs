//! The internal authority as an item of the table: its certificates, and which keys of KMS they belong to.
//!
//! | attribute | type | |
//! |---|---|---|
//! | `pk`, `sk` | S | `signer` and `authority` |
//! | `revision` | N | counted from one; each write adds one |
//! | `rootKey`, `intermediateKey` | S | ARNs |
//! | `roots` | L of B | DER, the present root first |
//! | `intermediate` | L of B | DER, one |
//! | `issuedFor` | S | the rotation that a certificate was issued for last |
//! | `issued` | L of B | that certificate with its issuer, DER, leaf first |

use aws_sdk_dynamodb::{Client, types::AttributeValue};

use super::call::{self, Call};
use crate::{
    aws::item::{self, Attributes, Item},
    rotation::ports::{Fault, RotationId},
};

/// The sort key of the authority.
const AUTHORITY: &str = "authority";

/// The authority as it was written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AuthorityState {
    pub(super) root_key: String,
    /// DER, the present one first; never empty.
    pub(super) roots: Vec<Vec<u8>>,
    pub(super) intermediate_key: String,
    /// DER.
    pub(super) intermediate: Vec<u8>,
    pub(super) issued: Option<Issued>,
}

/// What was issued last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Issued {
    pub(super) rotation: RotationId,
    /// DER, leaf first.
    pub(super) chain: Vec<Vec<u8>>,
}

impl AuthorityState {
    /// The present root, DER.
    pub(super) fn root(&self) -> &[u8] {
        self.roots.first().map_or(&[], Vec::as_slice)
    }

    fn to_item(&self, revision: u64) -> Item {
        let mut item = item::key(AUTHORITY);
        let attributes = [
            ("revision", item::number(revision)),
            ("rootKey", item::text(&self.root_key)),
            ("roots", item::certificates(&self.roots)),
            ("intermediateKey", item::text(&self.intermediate_key)),
            ("intermediate", item::certificates(std::slice::from_ref(&self.intermediate))),
        ];
        item.extend(attributes.map(|(name, value): (&str, AttributeValue)| (name.to_owned(), value)));
        if let Some(issued) = &self.issued {
            item.insert("issuedFor".to_owned(), item::text(&issued.rotation.to_string()));
            item.insert("issued".to_owned(), item::certificates(&issued.chain));
        }
        item
    }

    fn parse(item: &Item) -> Result<(u64, Self), String> {
        let attributes = Attributes(item);
        let roots = attributes.certificates("roots")?;
        let intermediate = attributes.certificates("intermediate")?.into_iter().next();
        if roots.is_empty() {
            return Err("its attribute `roots` is empty".to_owned());
        }
        let state = Self {
            root_key: attributes.text("rootKey")?.to_owned(),
            roots,
            intermediate_key: attributes.text("intermediateKey")?.to_owned(),
            intermediate: intermediate.ok_or("its attribute `intermediate` is empty")?,
            issued: item.contains_key("issuedFor").then(|| Issued::parse(&attributes)).transpose()?,
        };
        Ok((attributes.number("revision")?, state))
    }
}

impl Issued {
    fn parse(attributes: &Attributes<'_>) -> Result<Self, String> {
        let rotation = attributes.text("issuedFor")?.parse();
        let rotation = rotation.map_err(|_| "its attribute `issuedFor` cannot be read")?;
        Ok(Self { rotation, chain: attributes.certificates("issued")? })
    }
}

/// Where the authority is written down. Takes `dynamodb:GetItem` and `dynamodb:PutItem`.
#[derive(Clone, Debug)]
pub(super) struct AuthorityItem {
    client: Client,
    table: String,
}

impl AuthorityItem {
    pub(super) fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// For people: where it is.
    pub(super) fn place(&self) -> String {
        format!("table {} (pk=signer, sk={AUTHORITY})", self.table)
    }

    /// How to begin with another authority.
    pub(super) fn begin_anew(&self) -> String {
        format!(
            "delete it to begin with a new authority and a new root: aws dynamodb delete-item --table-name {} --key \
             '{{\"pk\":{{\"S\":\"signer\"}},\"sk\":{{\"S\":\"{AUTHORITY}\"}}}}'",
            self.table
        )
    }

    /// The authority and its revision; `None` before its first use.
    pub(super) async fn read(&self) -> Result<Option<(u64, AuthorityState)>, Fault> {
        let place = self.place();
        let call = Call { resource: &place, permission: "dynamodb:GetItem" };
        let request = self.client.get_item().table_name(&self.table).set_key(Some(item::key(AUTHORITY)));
        let answer = request.consistent_read(true).send().await.map_err(|error| call.failed(&error))?;
        let parsed = answer.item.as_ref().map(AuthorityState::parse).transpose();
        parsed.map_err(|problem| Fault::lasting(place.clone(), problem, self.begin_anew()))
    }

    /// Replaces the authority if its revision is still `expected` (`None`: if there is none yet); false when somebody
    /// else wrote meanwhile.
    pub(super) async fn write(&self, state: &AuthorityState, expected: Option<u64>) -> Result<bool, Fault> {
        let revision = expected.unwrap_or(0).saturating_add(1);
        let request = self.client.put_item().table_name(&self.table).set_item(Some(state.to_item(revision)));
        let request = match expected {
            Some(revision) => request
                .condition_expression("revision = :expected")
                .expression_attribute_values(":expected", item::number(revision)),
            None => request.condition_expression("attribute_not_exists(pk)"),
        };
        let place = self.place();
        let call = Call { resource: &place, permission: "dynamodb:PutItem" };
        match request.send().await {
            Ok(_) => Ok(true),
            // An attempt whose answer was lost has been made again by the client; what is written tells.
            Err(error) if call::has_code(&error, &["ConditionalCheckFailedException"]) => {
                Ok(self.read().await?.is_some_and(|found| found == (revision, state.clone())))
            }
            Err(error) => Err(call.failed(&error)),
        }
    }
}
