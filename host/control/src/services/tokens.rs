//! API tokens: shown once, kept as a digest, revoked at once.

use crate::Control;
use crate::error::{ControlError, FieldError};
use crate::types::{CreateToken, CreatedToken, TokenView, from_rfc3339, rfc3339};
use rowhouse_base::Timestamp;
use rowhouse_base::id::TokenId;
use rowhouse_base::secret::Secret;
use rowhouse_identity::{ApiToken, Operator, TokenScope};

type Result<T> = std::result::Result<T, ControlError>;

impl Control {
    /// All API tokens, oldest first.
    ///
    /// # Errors
    /// [`ControlError::Database`].
    pub async fn tokens(&self, _operator: &Operator) -> Result<Vec<TokenView>> {
        Ok(self.store.tokens().await?.iter().map(view).collect())
    }

    /// Makes an API token. The secret is in the answer and nowhere else.
    ///
    /// # Errors
    /// [`ControlError::Invalid`] with every wrong field.
    pub async fn create_token(&self, operator: &Operator, request: CreateToken) -> Result<CreatedToken> {
        let actor = operator.writer()?;
        let mut wrong = Vec::new();
        let mut fault =
            |field: &str, detail: String| wrong.push(FieldError { field: field.to_owned(), detail });
        let name = request.name.trim();
        if name.is_empty() || name.len() > 64 || name.chars().any(char::is_control) {
            fault("name", "a name has 1 to 64 bytes".to_owned());
        }
        let mut scopes: Vec<TokenScope> = Vec::new();
        for text in &request.scopes {
            match text.parse() {
                Ok(scope) if !scopes.contains(&scope) => scopes.push(scope),
                Ok(_) => {}
                Err(error) => fault("scopes", format!("{error}")),
            }
        }
        if request.scopes.is_empty() {
            fault("scopes", "a token has at least one scope".to_owned());
        }
        let expires_at = request.expires_at.as_deref().map(from_rfc3339);
        if expires_at.is_some_and(|at| at.is_none_or(|at| at.is_past(Timestamp::now()))) {
            fault("expires_at", "a time to come, such as `2030-01-31T00:00:00Z`".to_owned());
        }
        if !wrong.is_empty() {
            return Err(ControlError::Invalid(wrong));
        }
        let (token, secret) = self.add_token(actor, name, scopes, expires_at.flatten()).await?;
        Ok(CreatedToken { token: secret.reveal().to_owned(), kept: view(&token) })
    }

    pub(crate) async fn add_token(
        &self,
        actor: &str,
        name: &str,
        scopes: Vec<TokenScope>,
        expires_at: Option<Timestamp>,
    ) -> Result<(ApiToken, Secret)> {
        let secret = ApiToken::new_secret();
        let mut change = self.store.change().await?;
        let token = ApiToken {
            id: TokenId::new(),
            name: name.to_owned(),
            scopes,
            created_at: change.at(),
            expires_at,
        };
        change.add_token(&token, &secret.digest()).await?;
        change.audit(actor, "token.create", token.name.as_str(), &token.id.to_string()).await?;
        change.commit().await?;
        Ok((token, secret))
    }

    /// Revokes a token.
    ///
    /// # Errors
    /// [`ControlError::NotFound`].
    pub async fn delete_token(&self, operator: &Operator, id: &str) -> Result<()> {
        let actor = operator.writer()?;
        let missing = || ControlError::not_found("token", id.chars().take(80).collect::<String>());
        let parsed: TokenId = id.parse().map_err(|_no_id| missing())?;
        let mut change = self.store.change().await?;
        if !change.remove_token(parsed).await? {
            return Err(missing());
        }
        change.audit(actor, "token.revoke", id, "").await?;
        Ok(change.commit().await?)
    }
}

fn view(token: &ApiToken) -> TokenView {
    TokenView {
        id: token.id.to_string(),
        name: token.name.clone(),
        scopes: token.scopes.iter().map(ToString::to_string).collect(),
        created_at: rfc3339(token.created_at),
        expires_at: token.expires_at.map(rfc3339),
    }
}
