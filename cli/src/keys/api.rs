//! `credlink keys api`: who may call the service.

use std::{collections::BTreeSet, io::Write, path::Path};

use clap::{Args, Subcommand};
use credlink_pipeline::timestamp::Timestamp;
use credlink_service::{
    api_keys::{
        ApiKey, ApiKeyId, ApiKeyStore, ApiKeyStoreError, ApiKeyText, LocalApiKeys, MAX_NAME_LENGTH, Scope,
        UnknownScope,
    },
    aws::api_keys::DynamoApiKeys,
};
use serde::Serialize;
use thiserror::Error;

use super::KeysCommandError;
use crate::environment::small_runtime;

/// What to do with API keys.
#[derive(Debug, Subcommand)]
pub(crate) enum ApiCommand {
    /// Make a key; it is shown once, and kept as a hash only
    #[command(
        after_help = "Examples:\n  credlink keys api create --name 'picture desk' --scope sign,verify\n  \
                      credlink keys api create --name prometheus --scope admin --expires 365\n  \
                      credlink keys api create --name agency --scope sign --table credlink-proofs --json | jq -r .key\n\n\
                      Callers send it in the header X-API-Key. The service asks for keys with ENABLE_API_KEY_AUTH=true."
    )]
    Create(CreateArgs),
    /// List the keys, oldest first; never the keys themselves
    #[command(
        after_help = "Examples:\n  credlink keys api list\n  credlink keys api list --json | jq -r '.[].id'"
    )]
    List(PlaceArgs),
    /// Revoke a key; every instance of the service refuses it within 30 seconds
    #[command(after_help = "Examples:\n  credlink keys api revoke 1f0c8a33b2d94e57\n  \
                      credlink keys api revoke 1f0c8a33b2d94e57 --table credlink-proofs")]
    Revoke(RevokeArgs),
}

/// Where keys are kept, and how to answer.
#[derive(Debug, Args)]
pub(crate) struct PlaceArgs {
    /// The DynamoDB table of the installation, in place of the data folder
    #[arg(long, value_name = "TABLE")]
    table: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Arguments of `keys api create`.
#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// Whose key it is, for people
    #[arg(long, value_name = "NAME", value_parser = name)]
    name: String,
    /// What it may be used for: sign, verify, admin, with commas between them
    #[arg(long, value_name = "SCOPES", value_delimiter = ',', required = true, value_parser = scope)]
    scope: Vec<Scope>,
    /// Days after which it is worth nothing; without this, never
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=3650))]
    expires: Option<u32>,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Arguments of `keys api revoke`.
#[derive(Debug, Args)]
pub(crate) struct RevokeArgs {
    /// The key's id, as `credlink keys api list` shows it
    #[arg(value_name = "ID")]
    id: ApiKeyId,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Why a command on API keys failed.
#[derive(Debug, Error)]
pub(crate) enum ApiCommandError {
    /// The store.
    #[error(transparent)]
    Store(#[from] ApiKeyStoreError),
    /// There is nothing to revoke.
    #[error("there is no API key {0}; `credlink keys api list` shows those that there are")]
    Unknown(ApiKeyId),
}

/// Runs a command on the keys below the folder of keys `folder`, or in the table that it names.
///
/// # Errors
/// One sentence that says what is wrong and what to do.
pub(super) fn execute(
    command: &ApiCommand,
    folder: &Path,
    now: Timestamp,
    output: &mut impl Write,
) -> Result<(), KeysCommandError> {
    let runtime = small_runtime().map_err(KeysCommandError::Start)?;
    let place = match command {
        ApiCommand::Create(CreateArgs { place, .. }) | ApiCommand::Revoke(RevokeArgs { place, .. }) => place,
        ApiCommand::List(place) => place,
    };
    let answer = runtime.block_on(async {
        let store = store(place, folder).await?;
        answer(command, &*store, now).await
    })?;
    answer.write(place.json, now, output)
}

async fn store(place: &PlaceArgs, folder: &Path) -> Result<Box<dyn ApiKeyStore>, KeysCommandError> {
    let Some(table) = &place.table else { return Ok(Box::new(LocalApiKeys::new(folder.join("api")))) };
    let config = credlink_aws::from_profile().await;
    if config.region().is_none() {
        return Err(KeysCommandError::NoRegion);
    }
    Ok(Box::new(DynamoApiKeys::new(aws_sdk_dynamodb::Client::new(&config), table)))
}

async fn answer(
    command: &ApiCommand,
    store: &dyn ApiKeyStore,
    now: Timestamp,
) -> Result<Answer, KeysCommandError> {
    let done = match command {
        ApiCommand::Create(args) => create(args, store, now).await,
        ApiCommand::List(_) => store.all().await.map(Answer::Listed).map_err(ApiCommandError::from),
        ApiCommand::Revoke(args) => revoke(args.id, store, now).await,
    };
    Ok(done?)
}

async fn create(
    args: &CreateArgs,
    store: &dyn ApiKeyStore,
    now: Timestamp,
) -> Result<Answer, ApiCommandError> {
    let scopes: BTreeSet<Scope> = args.scope.iter().copied().collect();
    let expires = args.expires.map(|days| now.plus_days(days));
    let (key, text) = ApiKey::generate(args.name.clone(), scopes, now, expires)?;
    store.add(&key).await?;
    Ok(Answer::Created(key, text))
}

async fn revoke(id: ApiKeyId, store: &dyn ApiKeyStore, now: Timestamp) -> Result<Answer, ApiCommandError> {
    if !store.revoke(id, now).await? {
        return Err(ApiCommandError::Unknown(id));
    }
    let key = store.find(id).await?.ok_or(ApiCommandError::Unknown(id))?;
    Ok(Answer::Revoked(key))
}

fn name(text: &str) -> Result<String, String> {
    let sane = !text.trim().is_empty()
        && text.chars().count() <= MAX_NAME_LENGTH
        && !text.chars().any(char::is_control);
    let reason = || format!("a name has 1 to {MAX_NAME_LENGTH} characters on one line");
    sane.then(|| text.trim().to_owned()).ok_or_else(reason)
}

fn scope(text: &str) -> Result<Scope, UnknownScope> {
    text.trim().parse()
}

/// What came of a command.
enum Answer {
    Created(ApiKey, ApiKeyText),
    Listed(Vec<ApiKey>),
    Revoked(ApiKey),
}

impl Answer {
    fn write(&self, json: bool, now: Timestamp, output: &mut impl Write) -> Result<(), KeysCommandError> {
        match (self, json) {
            (Self::Created(key, text), true) => {
                let shown = Shown { key: Some(text.to_string()), ..Shown::of(key, now) };
                write_json(&shown, output)
            }
            (Self::Created(key, text), false) => {
                writeln!(output, "Key            {text}")?;
                write_lines(key, now, output)?;
                writeln!(
                    output,
                    "Note           the key is shown this once; keep it where secrets are kept"
                )?;
                Ok(())
            }
            (Self::Listed(keys), true) => {
                write_json(&keys.iter().map(|key| Shown::of(key, now)).collect::<Vec<_>>(), output)
            }
            (Self::Listed(keys), false) => {
                if keys.is_empty() {
                    writeln!(output, "There are no API keys; `credlink keys api create` makes one")?;
                }
                for (index, key) in keys.iter().enumerate() {
                    if index > 0 {
                        writeln!(output)?;
                    }
                    write_lines(key, now, output)?;
                }
                Ok(())
            }
            (Self::Revoked(key), true) => write_json(&Shown::of(key, now), output),
            (Self::Revoked(key), false) => {
                write_lines(key, now, output)?;
                writeln!(output, "Note           every instance refuses it within 30 seconds")?;
                Ok(())
            }
        }
    }
}

/// A key as programs read it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    /// The key itself, when it was made just now.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    id: ApiKeyId,
    name: &'a str,
    scopes: &'a BTreeSet<Scope>,
    state: &'static str,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
}

impl<'a> Shown<'a> {
    fn of(key: &'a ApiKey, now: Timestamp) -> Self {
        Self {
            key: None,
            id: key.id,
            name: &key.name,
            scopes: &key.scopes,
            state: state(key, now),
            created_at: key.created_at,
            expires_at: key.expires_at,
            revoked_at: key.revoked_at,
        }
    }
}

fn state(key: &ApiKey, now: Timestamp) -> &'static str {
    if key.revoked_at.is_some() {
        "revoked"
    } else if key.expires_at.is_some_and(|end| now >= end) {
        "expired"
    } else {
        "active"
    }
}

fn write_lines(key: &ApiKey, now: Timestamp, output: &mut impl Write) -> Result<(), KeysCommandError> {
    let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.name()).collect();
    writeln!(output, "Id             {}", key.id)?;
    writeln!(output, "Name           {}", key.name)?;
    writeln!(output, "Scopes         {}", scopes.join(", "))?;
    writeln!(output, "State          {}", state(key, now))?;
    writeln!(output, "Created        {}", key.created_at)?;
    if let Some(end) = key.expires_at {
        writeln!(output, "Expires        {end}")?;
    }
    if let Some(at) = key.revoked_at {
        writeln!(output, "Revoked        {at}")?;
    }
    Ok(())
}

fn write_json(value: &impl Serialize, output: &mut impl Write) -> Result<(), KeysCommandError> {
    serde_json::to_writer_pretty(&mut *output, value)?;
    writeln!(output)?;
    Ok(())
}
