//! What Claude is shown: the branch that leads to the question, cut to the model's window in large steps.
//!
//! A prefix that stays the same from turn to turn is read from Claude's cache. So what no longer fits is not dropped
//! one turn at a time: the prompt is cut to half of what fits, and the next turns keep that beginning (it stands in
//! the answer's `left_out`, which is its depth in the tree) until it is full again.

use std::{future::Future, pin::Pin};

use app::domain::{MessageId, PieceKind, Role, SessionId};

use super::Chat;
use crate::{
    claude::{self, Model, tokens},
    schema::Schema,
    storage::{MessageItem, StoreError, TurnItem},
    turn::{Prompt, PromptSource},
};

/// Kept free for what an estimate gets wrong, of what fits: one part in so many.
const SLACK: u64 = 10;

/// The text of a message without its thinking.
pub(crate) fn text(message: &MessageItem) -> String {
    message.content.iter().filter(|p| p.kind == PieceKind::Text).map(|p| p.text.as_str()).collect()
}

/// Messages of a branch, from its newest to its oldest, until there are enough.
struct Gathered {
    /// Newest first.
    messages: Vec<claude::Turn>,
    depths: Vec<u32>,
    tokens: Vec<u64>,
}

impl Gathered {
    fn push(&mut self, depth: u32, role: Role, text: String) {
        // The API refuses empty messages; failed and stopped turns may have written none.
        if text.trim().is_empty() {
            return;
        }
        self.tokens.push(tokens::message(&text));
        self.depths.push(depth);
        self.messages.push(claude::Turn { role, text });
    }

    fn total(&self) -> u64 {
        self.tokens.iter().sum()
    }

    /// Cuts to `budget`, so that it begins with a question; the newest question always stays. Gives the depth at
    /// which it begins.
    fn cut(&mut self, budget: u64) -> u32 {
        let (mut kept, mut sum) = (0, 0);
        for i in 0..self.messages.len() {
            sum += self.tokens[i];
            if i > 0 && sum > budget {
                break;
            }
            if self.messages[i].role == Role::User {
                kept = i + 1;
            }
        }
        self.messages.truncate(kept.max(1));
        self.depths.truncate(kept.max(1));
        self.tokens.truncate(kept.max(1));
        self.depths.last().copied().unwrap_or(0)
    }
}

impl Chat {
    /// The prompt that ends in `question`, whose parent is the head of the branch to be shown.
    pub(super) async fn assemble(
        &self,
        session: SessionId,
        model: &Model,
        question: Question,
    ) -> Result<Prompt, StoreError> {
        let max_tokens = self.inner.config.max_tokens.min(model.max_tokens);
        let window = model.max_input_tokens.saturating_sub(max_tokens.min(model.max_input_tokens / 2));
        let budget = window - window / SLACK;
        let mut gathered = Gathered { messages: Vec::new(), depths: Vec::new(), tokens: Vec::new() };
        gathered.push(question.depth, Role::User, question.text);
        let mut from = 0;
        if let Some(head) = question.parent {
            let mut branch = self.branch(session, head, question.depth.saturating_sub(1));
            let mut newest = true;
            while let Some(message) = branch.next().await? {
                if std::mem::take(&mut newest) {
                    from = message.left_out.unwrap_or(0);
                }
                if message.depth < from {
                    break;
                }
                gathered.push(message.depth, message.role, text(&message));
                if gathered.total() > budget {
                    break;
                }
            }
        }
        if gathered.total() > budget {
            from = gathered.cut(budget / 2);
        } else if from > 0 || gathered.messages.last().is_some_and(|m| m.role == Role::Assistant) {
            // Also a first question that is blank or missing must not let an answer come first.
            let begins = gathered.cut(u64::MAX);
            from = if from > 0 { begins } else { 0 };
        }
        gathered.messages.reverse();
        let request = claude::Request {
            model: model.id.clone(),
            max_tokens,
            messages: gathered.messages,
            system: None,
            thinking: model.thinking(self.inner.config.thinking),
            cache: true,
            schema: None,
        };
        let no_thinking = model.thinking(claude::Thinking::Off);
        Ok(Prompt { request, left_out: from, no_thinking, begins_with: question.begins_with, shape: None })
    }
}

impl Chat {
    /// The text of the message that a turn continues, without white space at its end.
    pub(super) async fn continued(
        &self,
        session: SessionId,
        continues: Option<MessageId>,
        depth: u32,
    ) -> Result<String, StoreError> {
        let Some(id) = continues else { return Ok(String::new()) };
        let message = self.inner.store.message(session, id, depth).await?;
        Ok(message.map(|m| text(&m).trim_end().to_owned()).unwrap_or_default())
    }
}

/// Asks for a result that fits a schema: of the API where the model takes it, else in words.
fn shape(prompt: &mut Prompt, model: &Model, schema: Schema) {
    if model.supports(&["structured_outputs"]) == Some(true) {
        prompt.request.schema = Some(schema.value().clone());
    } else {
        let words = format!(
            "Answer with one JSON value that fits this JSON Schema, and with nothing else, no fence around it:\n{}",
            schema.value()
        );
        prompt.request.system = Some(words);
    }
    prompt.shape = Some(std::sync::Arc::new(schema));
}

/// The message that is to be answered.
pub(super) struct Question {
    pub text: String,
    pub depth: u32,
    /// The message before it.
    pub parent: Option<MessageId>,
    /// The text that the answer begins with, where it continues another.
    pub begins_with: String,
}

impl PromptSource for Chat {
    fn prompt(&self, turn: &TurnItem) -> Pin<Box<dyn Future<Output = Result<Option<Prompt>, StoreError>> + Send + '_>> {
        let turn = turn.clone();
        Box::pin(async move {
            let depth = turn.depth.saturating_sub(1);
            let Some(message) = self.inner.store.message(turn.session, turn.parent, depth).await? else {
                return Ok(None);
            };
            let begins_with = self.continued(turn.session, turn.continues, turn.depth).await?;
            let question = Question { text: text(&message), depth, parent: message.parent, begins_with };
            let model = self.model(&turn.model);
            let mut prompt = self.assemble(turn.session, &model, question).await?;
            if turn.variant.is_some()
                && let Some(schema) = self.inner.store.job_schema(turn.session.into()).await?
            {
                match Schema::read(&schema) {
                    Ok(schema) => shape(&mut prompt, &model, schema),
                    Err(fault) => tracing::error!(turn = %turn.id, fault, "a stored schema that is none"),
                }
            }
            Ok(Some(prompt))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gathered(sizes: &[(Role, usize)]) -> Gathered {
        let mut g = Gathered { messages: vec![], depths: vec![], tokens: vec![] };
        let n = sizes.len() as u32;
        for (i, (role, size)) in sizes.iter().rev().enumerate() {
            g.push(n - 1 - i as u32, *role, "abc".repeat(*size));
        }
        g
    }

    #[test]
    fn what_does_not_fit_is_cut_at_a_question() {
        use Role::{Assistant, User};
        let sizes = [(User, 92), (Assistant, 92), (User, 92), (Assistant, 92), (User, 92)];
        let mut g = gathered(&sizes);
        assert_eq!(g.total(), 500);
        assert_eq!((g.cut(350), g.messages.len()), (2, 3));
        let mut g = gathered(&sizes);
        assert_eq!((g.cut(10), g.messages.len()), (4, 1));
        let mut g = gathered(&sizes);
        assert_eq!((g.cut(u64::MAX), g.messages.len()), (0, 5));
        // An answer never comes first.
        let mut g = gathered(&sizes[1..]);
        assert_eq!((g.cut(u64::MAX), g.messages.len()), (1, 3));
    }
}
