//! Several sides measured in turn, so that whatever else the machine does hits all of them.

use anyhow::Result;

use crate::report::{Better, Figure, Goal};

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// advosync.
    Product,
    /// Plain Redis commands.
    Raw,
    /// The crate `bullmq-official`.
    Peer,
}

/// What each side came to in each round, `N` numbers each.
pub(crate) struct Rounds<const N: usize>(Vec<(Side, Vec<[f64; N]>)>);

impl<const N: usize> Rounds<N> {
    /// Measures every side `rounds` times; each round begins with another side.
    pub(crate) async fn measure(
        sides: &[Side],
        rounds: usize,
        mut once: impl AsyncFnMut(Side) -> Result<[f64; N]>,
    ) -> Result<Self> {
        let mut found: Vec<(Side, Vec<[f64; N]>)> = sides.iter().map(|side| (*side, Vec::new())).collect();
        for round in 0..rounds {
            for turn in 0..sides.len() {
                let (side, numbers) = &mut found[(round + turn) % sides.len()];
                numbers.push(once(*side).await?);
            }
        }
        Ok(Self(found))
    }

    /// Whether a side was measured.
    pub(crate) fn has(&self, side: Side) -> bool {
        self.0.iter().any(|(of, _)| *of == side)
    }

    /// The numbers at `at` of a side, in the order of the rounds.
    pub(crate) fn all(&self, side: Side, at: usize) -> Vec<f64> {
        let of = self.0.iter().find(|(of, _)| *of == side);
        of.map(|(_, numbers)| numbers.iter().map(|numbers| numbers[at]).collect()).unwrap_or_default()
    }

    /// The median of the numbers at `at` of a side.
    pub(crate) fn median(&self, side: Side, at: usize) -> f64 {
        median(self.all(side, at))
    }

    /// A side's number at `at` beside that of raw Redis.
    pub(crate) fn figure(
        &self,
        side: Side,
        at: usize,
        name: impl Into<String>,
        unit: &'static str,
        better: Better,
        goal: Option<Goal>,
    ) -> Figure {
        let raw = self.all(Side::Raw, at);
        let ratios: Vec<f64> = self.all(side, at).iter().zip(&raw).map(|(it, raw)| it / raw).collect();
        Figure {
            name: name.into(),
            value: self.median(side, at),
            raw: Some(median(raw)),
            spread: Some([percentile(ratios.clone(), 0), percentile(ratios.clone(), 100)]),
            ratio: Some(median(ratios)),
            unit,
            better,
            goal,
        }
    }
}

/// The number in the middle.
pub(crate) fn median(numbers: Vec<f64>) -> f64 {
    percentile(numbers, 50)
}

/// The number that so many percent do not exceed.
pub(crate) fn percentile(mut numbers: Vec<f64>, percent: usize) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let last = numbers.len().saturating_sub(1);
    numbers.get(last * percent / 100).copied().unwrap_or(f64::NAN)
}
