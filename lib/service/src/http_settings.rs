//! What the operator chose about who may call, and how often. Part of [`config`](crate::config).

use std::{num::NonZeroU32, time::Duration};

use crate::{
    config::{ConfigError, Variables},
    middleware::{AllowedOrigins, CorsSettings},
    outbound::{SentryDsn, TraceCollector},
    rate_limits::RateLimits,
};

/// The most proxies that may stand before the service.
const MAX_PROXIES: usize = 16;

/// Who may call, and how often.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// Whose pages may call.
    pub cors: CorsSettings,
    /// How many proxies before the service add to `X-Forwarded-For`.
    pub trusted_proxies: usize,
    /// How often one client may ask.
    pub rate_limits: RateLimits,
    /// Whether callers need an API key.
    pub api_keys: bool,
    /// Who hears of faults of the service.
    pub sentry: Option<SentryDsn>,
    /// Who collects traces.
    pub traces: Option<TraceCollector>,
}

impl HttpSettings {
    /// Reads the variables.
    ///
    /// # Errors
    /// The first whose value cannot be used.
    pub(crate) fn from_variables<L: Fn(&str) -> Option<String>>(
        variables: &Variables<L>,
    ) -> Result<Self, ConfigError> {
        Ok(Self {
            cors: cors(variables)?,
            trusted_proxies: variables.ranged("TRUSTED_PROXIES", 0, MAX_PROXIES)?.unwrap_or(0),
            rate_limits: rate_limits(variables)?,
            api_keys: variables.switch("ENABLE_API_KEY_AUTH")?.unwrap_or(false),
            sentry: variables.checked("SENTRY_DSN")?,
            traces: variables.checked("OTEL_EXPORTER_OTLP_ENDPOINT")?,
        })
    }
}

/// With named origins credentials are allowed unless somebody said no.
fn cors<L: Fn(&str) -> Option<String>>(variables: &Variables<L>) -> Result<CorsSettings, ConfigError> {
    let origins = variables.checked("ALLOWED_ORIGINS")?;
    let chosen = variables.switch("CORS_CREDENTIALS")?;
    if origins == Some(AllowedOrigins::All) && chosen == Some(true) {
        let reason = "with ALLOWED_ORIGINS=* every page could act for its visitors; name the origins, or leave it false";
        return Err(ConfigError::refused("CORS_CREDENTIALS", "true", reason));
    }
    let credentials = chosen.unwrap_or(matches!(origins, Some(AllowedOrigins::These(_))));
    Ok(CorsSettings { origins, credentials })
}

fn rate_limits<L: Fn(&str) -> Option<String>>(variables: &Variables<L>) -> Result<RateLimits, ConfigError> {
    const DEFAULT: u32 = 100;
    let window = variables.ranged("RATE_LIMIT_WINDOW_MS", 1_000, 3_600_000)?.unwrap_or(60_000);
    let limit = |name| Ok(NonZeroU32::new(variables.ranged(name, 0, 1_000_000)?.unwrap_or(DEFAULT)));
    Ok(RateLimits {
        window: Duration::from_millis(window),
        requests: limit("RATE_LIMIT_MAX")?,
        signs: limit("SIGN_RATE_LIMIT_MAX")?,
    })
}
