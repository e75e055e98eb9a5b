//! Inputs made of the corpus: one of its files, changed in a few places. What libFuzzer does by coverage, without it.

use std::fmt;
use std::ops::{Bound, Range};

use bolero::{Driver, ValueGenerator};

use crate::corpus::{Corpus, HOSTILE};

/// No input is longer, unless its file is: beyond every limit but those of a body and of depth, which files are beyond.
const LONGEST: usize = 16 * 1024;
/// At most so many changes are made to one file.
const CHANGES: usize = 6;

/// An input; shown so that it can be put into a file by `printf`.
#[derive(Clone)]
pub(crate) struct Input(pub(crate) Vec<u8>);

impl fmt::Debug for Input {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "\"{}\"", self.0.escape_ascii())
    }
}

/// Makes inputs of a corpus.
pub(crate) struct Mutated<'a>(pub(crate) &'a Corpus);

impl ValueGenerator for Mutated<'_> {
    type Output = Input;

    fn generate<D: Driver>(&self, driver: &mut D) -> Option<Input> {
        let mut bytes = self.seed(driver)?.to_vec();
        let longest = bytes.len().max(LONGEST);
        for _ in 0..=below(driver, CHANGES)? {
            self.change(&mut bytes, driver)?;
            bytes.truncate(longest);
        }
        Some(Input(bytes))
    }
}

impl Mutated<'_> {
    fn seed<D: Driver>(&self, driver: &mut D) -> Option<&[u8]> {
        Some(&self.0.files[below(driver, self.0.files.len())?].1)
    }

    /// One that breaks readers, or one of the corpus.
    fn word<D: Driver>(&self, driver: &mut D) -> Option<&[u8]> {
        if driver.gen_bool(None)? {
            return Some(HOSTILE[below(driver, HOSTILE.len())?]);
        }
        Some(&self.0.words[below(driver, self.0.words.len())?])
    }

    fn change<D: Driver>(&self, bytes: &mut Vec<u8>, driver: &mut D) -> Option<()> {
        match below(driver, 12)? {
            0 if !bytes.is_empty() => {
                let at = below(driver, bytes.len())?;
                bytes[at] = driver.gen_u8(Bound::Unbounded, Bound::Unbounded)?;
            }
            1 if !bytes.is_empty() => {
                let at = below(driver, bytes.len())?;
                bytes[at] ^= 1 << below(driver, 8)?;
            }
            2 => drop(bytes.drain(range(bytes, driver)?)),
            3 => {
                let range = range(bytes, driver)?;
                let part = bytes[range.clone()].to_vec();
                insert(bytes, range.end, &part);
            }
            // Long, or deep.
            4 => {
                let part = if driver.gen_bool(None)? { self.word(driver)?.to_vec() } else { self.part(driver)? };
                let at = below(driver, bytes.len() + 1)?;
                let times = 1 << below(driver, 15)?;
                insert(bytes, at, &part.repeat(times.min(LONGEST / part.len().max(1))));
            }
            5 => {
                let at = below(driver, bytes.len() + 1)?;
                insert(bytes, at, self.word(driver)?);
            }
            // At the beginning or the end of something.
            6 => {
                let at = below(driver, bytes.len() + 1)?;
                let edge = bytes[at..].iter().position(|byte| b"\"'=:/,;?&%[]{}()\n ".contains(byte));
                let at = at + edge.unwrap_or(0) + usize::from(edge.is_some() && driver.gen_bool(None)?);
                insert(bytes, at, self.word(driver)?);
            }
            7 | 8 => {
                let range = word_at(bytes, below(driver, bytes.len() + 1)?);
                bytes.splice(range, self.word(driver)?.iter().copied());
            }
            9 => {
                let range = word_at(bytes, below(driver, bytes.len() + 1)?);
                bytes.drain(range);
            }
            10 => {
                let range = range(bytes, driver)?;
                let part = self.part(driver)?;
                bytes.splice(range, part);
            }
            _ => bytes.truncate(below(driver, bytes.len() + 1)?),
        }
        Some(())
    }

    /// A part of any file.
    fn part<D: Driver>(&self, driver: &mut D) -> Option<Vec<u8>> {
        let seed = self.seed(driver)?;
        Some(seed[range(seed, driver)?].to_vec())
    }
}

fn insert(bytes: &mut Vec<u8>, at: usize, part: &[u8]) {
    bytes.splice(at..at, part.iter().copied());
}

/// Mostly short ones: half of all parts have less than nine bytes.
fn range<D: Driver>(bytes: &[u8], driver: &mut D) -> Option<Range<usize>> {
    let from = below(driver, bytes.len() + 1)?;
    let most = if driver.gen_bool(None)? { 9 } else { bytes.len() - from + 1 };
    let length = below(driver, most)?;
    Some(from..(from + length).min(bytes.len()))
}

/// The word around a place, so that a number is replaced whole.
fn word_at(bytes: &[u8], at: usize) -> Range<usize> {
    let inside = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-:+.".contains(byte);
    let before = bytes[..at].iter().rev().take_while(|byte| inside(byte)).count();
    let after = bytes[at..].iter().take_while(|byte| inside(byte)).count();
    at - before..(at + after).max((at + 1).min(bytes.len())).max(at - before)
}

fn below<D: Driver>(driver: &mut D, end: usize) -> Option<usize> {
    driver.gen_usize(Bound::Included(&0), Bound::Excluded(&end))
}
