//! Makes an update manifest: it adds to what is known of a manifest, and leaves the content to the hard binding that is
//! there (C2PA 2.4, section 11.2.3). So no image is needed.

use std::io::Cursor;

use c2pa::{Builder, BuilderIntent, assertions::TimeStamp};
use uuid::Uuid;

use super::{
    CredentialError, ParentCredential, SignedStore, Witnesses,
    port_signer::PortSigner,
    time_stamp_assertion::TIME_STAMP_LABEL,
    writing::{BARE_STORE, PARENT, claim_generator, parent_ingredient, signing_context},
};
use crate::{
    asset::Format,
    manifest::{ACTIONS_LABEL, opened},
    proof::ProofId,
    signer::Signer,
};

/// The store of `parent`, whose image has this `format`, under an update manifest that says one thing: `token`, a
/// `TimeStampToken` in DER, is a time-stamp of the active manifest there (C2PA 2.4, section 18.18).
///
/// # Errors
/// When the signer fails, or the library does.
pub(crate) async fn update_with_stamp(
    parent: ParentCredential,
    format: Format,
    token: &[u8],
    signer: &dyn Signer,
    witnesses: &Witnesses<'_>,
) -> Result<SignedStore, CredentialError> {
    let mut builder = Builder::from_shared_context(signing_context()?);
    builder.set_intent(BuilderIntent::Update);
    builder.definition.label = Some(ProofId::random().manifest_label());
    builder.definition.claim_version = Some(2);
    builder.definition.instance_id = format!("xmp:iid:{}", Uuid::new_v4());
    builder.definition.claim_generator_info = vec![claim_generator()];
    builder.add_assertion(ACTIONS_LABEL, &opened(PARENT))?;
    let mut stamp = TimeStamp::new();
    stamp.add_timestamp(&parent.active_manifest, token);
    builder.add_assertion(TIME_STAMP_LABEL, &stamp)?;
    builder.add_ingredient(parent_ingredient(format, Some(parent))?);
    let port = PortSigner::new(signer, witnesses);
    // The library signs update manifests into streams alone. Of a bare store it reads nothing.
    let (mut nothing, mut written) = (Cursor::new(Vec::new()), Cursor::new(Vec::new()));
    let signed = builder.sign_async(&port, BARE_STORE, &mut nothing, &mut written).await;
    port.outcome(signed)
}
