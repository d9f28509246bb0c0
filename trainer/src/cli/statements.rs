//! What a model says of itself to the people who use it.

use clap::Args;
use siamese_core::model::{Card, Statement};

/// The sentences on a model's card that the server's page shows above the first verdict.
#[derive(Clone, Debug, Args)]
pub struct Statements {
    /// What the model is for, in a sentence; written on its card
    #[arg(long, value_name = "TEXT")]
    pub purpose: Option<Statement>,
    /// What the model is not for and what it was trained on, in a sentence; written on its card
    #[arg(long, value_name = "TEXT")]
    pub limits: Option<Statement>,
}

impl Statements {
    /// Writes the given sentences on a card. A sentence that is not given stays as the card has it.
    pub(super) fn on(&self, card: Card) -> Card {
        Card {
            purpose: self.purpose.clone().or(card.purpose),
            limits: self.limits.clone().or(card.limits),
            ..card
        }
    }
}
