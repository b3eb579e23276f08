//! `credlink keys import`: a certificate from an authority elsewhere, with its key, or for the key of a rotation that
//! waits for it.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use clap::Args;
use credlink_keys::{
    PemFile, import,
    rotation::{Trigger, local},
};
use credlink_pipeline::timestamp::Timestamp;

use super::{KeysCommandError, Report, aws_rotation, rotate};
use crate::environment;

/// Arguments of `keys import`.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// PEM file with the certificates: leaf first, each followed by its issuer
    #[arg(long, value_name = "FILE")]
    chain: PathBuf,
    /// PEM file with the private key of the leaf: PKCS#8, PKCS#1 or SEC 1, not encrypted. Without it, the chain answers the
    /// request of a rotation in progress
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// PEM file with the root of the chain, to be trusted when verifying here
    #[arg(long, value_name = "FILE")]
    root: Option<PathBuf>,
    /// On AWS instead: the chain answers the request of the deployment with this DynamoDB table
    #[arg(long, value_name = "TABLE", conflicts_with = "key")]
    table: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Imports into the key folder `folder`.
///
/// # Errors
/// What is wrong with the certificate or the key; nothing is changed then.
pub(super) fn run(
    args: &ImportArgs,
    folder: &Path,
    now: Timestamp,
    output: &mut impl Write,
) -> Result<(), KeysCommandError> {
    let chain = PemFile::read(&args.chain)?;
    let root = args.root.as_deref().map(PemFile::read).transpose()?;
    if let Some(table) = &args.table {
        let runtime = environment::small_runtime().map_err(KeysCommandError::Start)?;
        let report = runtime.block_on(aws_rotation::import(table, &chain, root))?;
        return rotate::write_report(args.json, &report, output);
    }
    let Some(key) = &args.key else { return answer(args, folder, &chain, root, output) };
    let imported = import(folder, &chain, &PemFile::read(key)?, root.as_ref(), now)?;
    let summary = imported.keys.describe(now)?;
    Report { summary, previous: imported.previous, notes: imported.notes }.write(args.json, output)
}

/// The certificate that a rotation waits for. The rotation goes on at once.
fn answer(
    args: &ImportArgs,
    folder: &Path,
    chain: &PemFile,
    root: Option<PemFile>,
    output: &mut impl Write,
) -> Result<(), KeysCommandError> {
    let root = match root {
        Some(root) => root,
        None => local::root_for(folder, chain)?.ok_or_else(|| no_root(chain))?,
    };
    let rotation = rotate::rotation_of(folder)?;
    let runtime = environment::small_runtime().map_err(KeysCommandError::Start)?;
    let id = runtime.block_on(rotation.check_certificate(chain, &root))?;
    local::deliver(folder, id, chain, &root)?;
    let report = runtime.block_on(rotation.run(Trigger::WhenDue, &|| false))?;
    rotate::write_report(args.json, &report, output)
}

fn no_root(chain: &PemFile) -> KeysCommandError {
    KeysCommandError::NoRoot(chain.name().to_owned())
}
