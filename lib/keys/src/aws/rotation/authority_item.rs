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

use super::revised_item::{self, RevisedItem};
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

    fn attributes(&self) -> Item {
        let attributes = [
            ("rootKey", item::text(&self.root_key)),
            ("roots", item::certificates(&self.roots)),
            ("intermediateKey", item::text(&self.intermediate_key)),
            ("intermediate", item::certificates(std::slice::from_ref(&self.intermediate))),
        ];
        let mut item =
            Item::from(attributes.map(|(name, value): (&str, AttributeValue)| (name.to_owned(), value)));
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
        Ok((revised_item::revision(&attributes)?, state))
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
pub(super) struct AuthorityItem(RevisedItem);

impl AuthorityItem {
    pub(super) fn new(client: Client, table: String) -> Self {
        Self(RevisedItem::new(client, table, AUTHORITY))
    }

    /// For people: where it is.
    pub(super) fn place(&self) -> String {
        self.0.place()
    }

    /// How to begin with another authority.
    pub(super) fn begin_anew(&self) -> String {
        format!("delete it to begin with a new authority and a new root: {}", self.0.deletion())
    }

    /// The authority and its revision; `None` before its first use.
    pub(super) async fn read(&self) -> Result<Option<(u64, AuthorityState)>, Fault> {
        let parsed = self.0.read().await?.as_ref().map(AuthorityState::parse).transpose();
        parsed.map_err(|problem| Fault::lasting(self.place(), problem, self.begin_anew()))
    }

    /// Replaces the authority if its revision is still `expected` (`None`: if there is none yet); false when somebody
    /// else wrote meanwhile.
    pub(super) async fn write(&self, state: &AuthorityState, expected: Option<u64>) -> Result<bool, Fault> {
        Ok(self.0.write(state.attributes(), expected).await?.is_some())
    }
}
