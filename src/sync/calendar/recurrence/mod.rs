use chrono::NaiveDate; use chrono_tz::Tz;
use super::{entry::{Series,When},pair::Original,scope::Window};
#[derive(Debug, Clone, PartialEq)] pub enum Recurrence { Once, Simple(Series), Complex(Rule) }
#[derive(Debug, Clone, PartialEq)] pub struct Rule;
pub fn read(_l: &[&str], _w: &When, _z: Option<Tz>) -> Result<Recurrence, &'static str> { Ok(Recurrence::Once) }
impl Rule { pub fn of(_s: &Series, _w: &When) -> Self { Self }
 pub fn instances(&self, _w: Window, _m: usize) -> (Vec<(Original, When)>, bool) { (vec![], false) }
 pub fn occurs(&self, _o: Original) -> bool { false }
 pub fn last_day(&self) -> Option<NaiveDate> { None } }
