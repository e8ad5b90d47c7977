//! A kept-alive connection that sends requests as they are and reads no more of an answer than it has to.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use crate::Failure;

/// No answer is longer.
const LONGEST: usize = 64 * 1024;

pub(crate) struct Line {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Line {
    pub(crate) fn new(address: SocketAddr) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: vec![0; LONGEST],
        })
    }

    /// Sends a request and tells the body of its answer.
    ///
    /// An answer other than 200, or without its length, is a failure.
    pub(crate) fn ask(&mut self, request: &[u8]) -> Result<&str, Failure> {
        self.stream.write_all(request)?;
        let mut filled = 0;
        let (start, end) = loop {
            let more = self.buffer.get_mut(filled..).unwrap_or_default();
            let read = self.stream.read(more)?;
            if read == 0 {
                return Err("the answer ended early".into());
            }
            filled += read;
            if let Some(body) = body(&self.buffer[..filled])?
                && body.1 <= filled
            {
                break body;
            }
        };
        Ok(std::str::from_utf8(&self.buffer[start..end])?)
    }
}

/// Where the body is, once the head is whole.
fn body(answer: &[u8]) -> Result<Option<(usize, usize)>, Failure> {
    let Some(head) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&answer[..head])?;
    if !text.starts_with("HTTP/1.1 200 ") {
        return Err(text.lines().next().unwrap_or_default().into());
    }
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse::<usize>().ok())?
    });
    let length = length.ok_or("an answer without its length")?;
    Ok(Some((head + 4, head + 4 + length)))
}
