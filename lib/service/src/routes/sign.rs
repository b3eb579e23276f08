//! `POST /sign`: an image goes in, or the name of an upload, and the signed image comes out. Its proof is durable
//! then.

use std::{sync::Arc, time::Instant};

use axum::{
    extract::{Request, State},
    response::Response,
};
use credlink_pipeline::{
    asset::AssetError,
    embed::EmbedError,
    proof::ProofId,
    sign::{SignError, SignedImage, sign},
    sign_once::sign_once,
    signer::SignerError,
};

use super::proofs::store_failed;
use crate::{
    error::{ApiError, ErrorCode},
    form,
    image_limit::file_too_large,
    service::Service,
    sign_answer::{self, Asked},
    sign_claim::{self, SignClaim},
    sign_request::SignRequest,
    signing_metrics,
};

/// Signs an image with what the other fields say.
pub(crate) async fn sign_image(
    State(service): State<Arc<Service>>,
    request: Request,
) -> Result<Response, ApiError> {
    let since = Instant::now();
    let headers = request.headers().clone();
    let key = sign_claim::key_of(&request)?;
    let wanted = SignRequest::read(&service, request).await?;
    let file_name = wanted.file_name.clone();
    let image = wanted.image.clone();
    let signed = match key {
        None => signed(&service, wanted, None).await,
        Some(key) => {
            let claim = SignClaim::take(&service, key, wanted.digest()).await?;
            let signed = signed(&service, wanted, Some(claim.proof())).await;
            claim.settle(&service, signed.as_ref().err()).await;
            signed
        }
    };
    signing_metrics::note(&service, &image, signed.is_ok(), since);
    let signed = signed?;
    sign_answer::answer(&service, signed, &Asked { headers, file_name, since }).await
}

/// The signed image; under the id `proof`, if there is one, and then the one that was signed first under it.
async fn signed(
    service: &Arc<Service>,
    wanted: SignRequest,
    proof: Option<ProofId>,
) -> Result<SignedImage, ApiError> {
    let SignRequest { image, options, .. } = wanted;
    let worker = Arc::clone(service);
    let signer = service.ports.identity.signer().await.map_err(signer_failed)?;
    let trust = service.ports.identity.trust().await.map_err(signer_failed)?;
    let work = move || async move {
        let context = worker.sign_context(&*signer, &trust);
        match proof {
            None => sign(image, &options, &context).await,
            Some(id) => sign_once(image, id, &options, &context).await,
        }
    };
    service.workers.run(work).await?.map_err(refused)
}

fn refused(error: SignError) -> ApiError {
    const SIGNING_FAILED: &str = "The image could not be signed, and nothing was stored. Try again later.";
    match error {
        SignError::Asset(error) => asset_refused(&error),
        SignError::Embed(error @ EmbedError::Damaged) => {
            ApiError::new(ErrorCode::ValidationFailed, sentence(&error.to_string()))
        }
        SignError::Signer(error) => signer_failed(error),
        SignError::Proofs(error) => store_failed(error),
        error @ (SignError::Embed(_) | SignError::Credential(_) | SignError::OtherImage(_)) => {
            ApiError::fault(ErrorCode::SigningFailed, SIGNING_FAILED, error)
        }
    }
}

/// What a caller is told when there is no signer, or when it fails.
pub(crate) fn signer_failed(error: SignerError) -> ApiError {
    match error {
        SignerError::Unavailable(reason) => {
            tracing::warn!(reason, "the signing key is not available");
            ApiError::unavailable("The signing key is not available now. Try again shortly.", 5)
        }
        error @ SignerError::Unusable(_) => ApiError::fault(
            ErrorCode::CertificateInvalid,
            "The service's own key or certificate is unusable. Its operator must replace it.",
            error,
        ),
    }
}

fn asset_refused(error: &AssetError) -> ApiError {
    let message = sentence(&error.to_string());
    match error {
        AssetError::Empty => form::no_file(),
        AssetError::NotAnImage => ApiError::new(ErrorCode::InvalidFileType, message),
        AssetError::TooLarge { limit, .. } => file_too_large(*limit),
        AssetError::Dimensions { width, height, max_width, max_height } => {
            ApiError::new(ErrorCode::ValidationFailed, message)
                .with_detail("width", *width)
                .with_detail("height", *height)
                .with_detail("maxWidth", *max_width)
                .with_detail("maxHeight", *max_height)
        }
        AssetError::Damaged { offset, .. } => {
            ApiError::new(ErrorCode::ValidationFailed, message).with_detail("offset", *offset)
        }
    }
}

/// A message of the pipeline as a sentence.
pub(crate) fn sentence(message: &str) -> String {
    let mut characters = message.chars();
    let first: String = characters.next().map(|c| c.to_uppercase().collect()).unwrap_or_default();
    format!("{first}{}.", characters.as_str())
}
