//! The attestation statement in CBOR (RFC 8949), pulled item by item within bounds, without recursion.

use minicbor::{Decoder, data::Type};

use super::{AttestationError, Limits};

/// The certificates of `{"fmt": "apple", "attStmt": {"x5c": [..]}}`; `None` for an empty map.
pub(super) fn chain(
    bytes: &[u8],
    limits: &Limits,
) -> Result<Option<Vec<Vec<u8>>>, AttestationError> {
    let mut reader = Reader {
        decoder: Decoder::new(bytes),
        limits,
    };
    let (mut format, mut chain) = (None, None);
    let mut keys = reader.map()?;
    while let Some(key) = reader.next_key(&mut keys)? {
        match key.as_str() {
            "fmt" => format = Some(reader.text()?),
            "attStmt" => chain = reader.statement()?,
            _ => reader.skip(limits.depth.saturating_sub(1))?,
        }
    }
    if reader.decoder.position() != bytes.len() {
        return Err(reader.fail("bytes after the statement"));
    }
    if keys.seen.is_empty() {
        return Ok(None);
    }
    match format {
        None => return Err(reader.fail("no fmt")),
        Some(format) if format != "apple" => {
            return Err(AttestationError::Format(format.chars().take(64).collect()));
        }
        Some(_) => {}
    }
    chain.map(Some).ok_or_else(|| reader.fail("no x5c"))
}

struct Reader<'b, 'l> {
    decoder: Decoder<'b>,
    limits: &'l Limits,
}

/// A map that is being read.
struct Keys {
    left: Left,
    seen: Vec<String>,
}

/// How many items are still to come; `None` until the break.
type Left = Option<u64>;

impl Reader<'_, '_> {
    fn statement(&mut self) -> Result<Option<Vec<Vec<u8>>>, AttestationError> {
        let mut chain = None;
        let mut keys = self.map()?;
        while let Some(key) = self.next_key(&mut keys)? {
            match key.as_str() {
                "x5c" => chain = Some(self.certificates()?),
                _ => self.skip(self.limits.depth.saturating_sub(2))?,
            }
        }
        Ok(chain)
    }

    fn certificates(&mut self) -> Result<Vec<Vec<u8>>, AttestationError> {
        let mut left = self.decoder.array().map_err(|error| self.broken(&error))?;
        self.bound("certificates", left, self.limits.certificates)?;
        let mut chain = Vec::new();
        while self.more(&mut left)? {
            let count = chain.len() + 1;
            AttestationError::within("certificates", count, self.limits.certificates)?;
            chain.push(self.bytes()?);
        }
        Ok(chain)
    }

    fn map(&mut self) -> Result<Keys, AttestationError> {
        let left = self.decoder.map().map_err(|error| self.broken(&error))?;
        self.bound("keys of a map", left, self.limits.keys)?;
        Ok(Keys {
            left,
            seen: Vec::new(),
        })
    }

    fn next_key(&mut self, keys: &mut Keys) -> Result<Option<String>, AttestationError> {
        if !self.more(&mut keys.left)? {
            return Ok(None);
        }
        let count = keys.seen.len() + 1;
        AttestationError::within("keys of a map", count, self.limits.keys)?;
        let key = self.text()?;
        if keys.seen.contains(&key) {
            return Err(self.fail("a key that stands there twice"));
        }
        keys.seen.push(key.clone());
        Ok(Some(key))
    }

    fn text(&mut self) -> Result<String, AttestationError> {
        let parts = self.decoder.str_iter().and_then(Iterator::collect);
        parts.map_err(|error| self.broken(&error))
    }

    fn bytes(&mut self) -> Result<Vec<u8>, AttestationError> {
        let parts: Result<Vec<&[u8]>, _> = self.decoder.bytes_iter().and_then(Iterator::collect);
        match parts {
            Ok(parts) => Ok(parts.concat()),
            Err(error) => Err(self.broken(&error)),
        }
    }

    /// Passes over one item, whatever is in it, of at most `depth` levels.
    fn skip(&mut self, depth: usize) -> Result<(), AttestationError> {
        let mut open: Vec<Left> = vec![Some(1)];
        while let Some(mut left) = open.pop() {
            if !self.more(&mut left)? {
                continue;
            }
            open.push(left);
            let inside = match self.datatype()? {
                Type::Array | Type::ArrayIndef => self.decoder.array().map(Some),
                // Of an indefinite map nobody looks whether each key has its value: it is passed over.
                Type::Map | Type::MapIndef => self
                    .decoder
                    .map()
                    .map(|pairs| Some(pairs.map(|pairs| pairs.saturating_mul(2)))),
                Type::Tag => self.decoder.tag().map(|_| Some(Some(1))),
                Type::Break => return Err(self.fail("a break where none can be")),
                _ => self.decoder.skip().map(|()| None),
            };
            if let Some(inside) = inside.map_err(|error| self.broken(&error))? {
                open.push(inside);
                AttestationError::within("levels", open.len() - 1, depth)?;
            }
        }
        Ok(())
    }

    /// Whether another item follows; takes the break where there is one.
    fn more(&mut self, left: &mut Left) -> Result<bool, AttestationError> {
        match left {
            Some(0) => Ok(false),
            Some(count) => {
                *count -= 1;
                Ok(true)
            }
            None if self.datatype()? == Type::Break => {
                self.decoder.set_position(self.decoder.position() + 1);
                Ok(false)
            }
            None => Ok(true),
        }
    }

    fn datatype(&self) -> Result<Type, AttestationError> {
        self.decoder.datatype().map_err(|error| self.broken(&error))
    }

    /// Refuses what says itself that it is too large, before any of it is read.
    fn bound(
        &self,
        what: &'static str,
        said: Option<u64>,
        limit: usize,
    ) -> Result<(), AttestationError> {
        let said = said.map_or(0, |said| usize::try_from(said).unwrap_or(usize::MAX));
        AttestationError::within(what, said, limit)
    }

    fn broken(&self, error: &minicbor::decode::Error) -> AttestationError {
        self.fail(error)
    }

    fn fail(&self, problem: impl ToString) -> AttestationError {
        AttestationError::Cbor {
            at: self.decoder.position(),
            problem: problem.to_string(),
        }
    }
}
