//! The server's side of one HTTP/2 connection (RFC 9113): bytes in, bytes out. Written anew rather
//! than taken from a library, so that it shares no mistake with a client and can misbehave at will.

mod answer;
mod count;
mod ending;

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;

use self::ending::GOODBYE_PING;
use super::{
    ConnectionCounters, Counters, Fault, Goodbye, Refusal,
    check::token_bytes,
    frame::{self, Broken, Frame, code, flag, kind, setting},
    hpack::{self, Decoder},
    request::Request,
    state::{Ending, Orders, State},
};

/// The most bytes of a request's headers (SETTINGS_MAX_HEADER_LIST_SIZE), as Apple's servers have it.
const MAX_HEADER_LIST: usize = 8000;

/// Who the client is.
#[derive(Debug)]
pub(super) struct Client {
    /// The one topic it may push to; any where there is none.
    pub(super) topic: Option<Arc<str>>,
    /// The serial number of its certificate.
    pub(super) serial: Option<Vec<u8>>,
    /// Why every push is answered 403.
    pub(super) refused: Option<&'static str>,
    /// Whether it has more than one stream before its first push is taken.
    pub(super) trusted: bool,
}

/// How far the connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The client has not said its preface.
    Greeting,
    Serving,
    /// A GOAWAY was sent, and some pushes are to be answered yet.
    Leaving,
    /// Headers are sent that never end.
    Flooding,
    /// What is left to write is written; what comes is overheard.
    Closing,
    /// The socket is dropped at once.
    Gone,
}

pub(super) struct Session {
    /// What is to be written.
    pub(super) out: Vec<u8>,
    state: Arc<State>,
    client: Client,
    orders: Orders,
    stage: Stage,
    decoder: Decoder,
    /// A header block that is not whole: its stream, the flags of its HEADERS, and what came.
    block: Option<(u32, u8, Vec<u8>)>,
    streams: HashMap<u32, Stream>,
    spare: Vec<Request>,
    due: VecDeque<Due>,
    /// The highest stream that the client opened.
    highest: u32,
    /// The last stream that a GOAWAY promised to answer.
    last: Option<u32>,
    /// The client has surely seen the GOAWAY.
    goodbye_known: bool,
    /// The limits of streams that the client has not acknowledged, and the one that it has.
    limits: VecDeque<u32>,
    limit: Option<u32>,
    /// How much DATA the client takes: over the connection, and over a new stream.
    window: i64,
    stream_window: i64,
    /// How much DATA came that the client was not given back yet.
    unreturned: u32,
    /// Streams with a body on its way.
    senders: Vec<u32>,
    /// The stream whose headers never end.
    flooded: u32,
    /// The client shrank the table that we do not use, and is told so.
    table_shrunk: bool,
    /// Fields that change from push to push were put into the table before.
    indexed_before: bool,
    rejections: u32,
    /// The next `apns-id` for a push without.
    ids: u128,
    block_room: Vec<u8>,
    /// What this connection counted in all, and what of it was not told yet.
    counted: ConnectionCounters,
    told: ConnectionCounters,
    fresh: Counters,
}

struct Stream {
    request: Request,
    /// The push came whole and was not looked at yet.
    waiting: bool,
    /// The client has ended its side.
    ended: bool,
    window: i64,
    /// The rest of a body on its way.
    sending: Bytes,
}

/// A push whose answer has its time.
struct Due {
    at: DateTime<Utc>,
    stream: u32,
    fault: Option<Fault>,
}

impl Session {
    pub(super) fn new(state: Arc<State>, client: Client, number: u64) -> Self {
        let orders = state.orders.borrow().clone();
        let mut session = Self {
            out: Vec::new(),
            client,
            orders,
            stage: Stage::Greeting,
            decoder: Decoder::default(),
            block: None,
            streams: HashMap::new(),
            spare: Vec::new(),
            due: VecDeque::new(),
            highest: 0,
            last: None,
            goodbye_known: false,
            limits: VecDeque::new(),
            limit: None,
            window: i64::from(frame::WINDOW),
            stream_window: i64::from(frame::WINDOW),
            unreturned: 0,
            senders: Vec::new(),
            flooded: 0,
            table_shrunk: false,
            indexed_before: false,
            rejections: 0,
            ids: mdm_pki::random::<16>().map_or(0, u128::from_be_bytes),
            block_room: Vec::new(),
            counted: ConnectionCounters {
                number,
                ..ConnectionCounters::default()
            },
            told: ConnectionCounters::default(),
            fresh: Counters::default(),
            state,
        };
        let limit = session.limit_now();
        session.limits.push_back(limit);
        session.counted.max_streams = limit;
        frame::put_settings(
            &mut session.out,
            &[
                (setting::HEADER_TABLE_SIZE, hpack::TABLE_SIZE as u32),
                (setting::MAX_CONCURRENT_STREAMS, limit),
                (setting::INITIAL_WINDOW_SIZE, frame::WINDOW),
                (setting::MAX_FRAME_SIZE, frame::MAX_PAYLOAD as u32),
                (setting::MAX_HEADER_LIST_SIZE, MAX_HEADER_LIST as u32),
            ],
        );
        session
    }

    pub(super) fn orders(&self) -> watch::Receiver<Orders> {
        self.state.orders.subscribe()
    }

    pub(super) fn stage(&self) -> Stage {
        self.stage
    }

    /// When the next answer is due.
    pub(super) fn next_due(&self) -> Option<DateTime<Utc>> {
        let answers = matches!(self.stage, Stage::Serving | Stage::Leaving);
        self.due.front().filter(|_| answers).map(|due| due.at)
    }

    /// Takes new orders.
    pub(super) fn obey(&mut self, orders: &Orders) {
        let before = std::mem::replace(&mut self.orders, orders.clone());
        if before.ending.0 != self.orders.ending.0 {
            match self.orders.ending.1.clone() {
                Some(Ending::Goodbye(goodbye)) => self.say_goodbye(&goodbye),
                Some(Ending::Close) => self.close(),
                None => {}
            }
        }
        if let Some(serial) = &self.client.serial
            && self.client.refused != Some("BadCertificate")
            && self.orders.revoked.contains(serial)
        {
            self.client.refused = Some("BadCertificate");
            let serial = serial.clone();
            self.state.lock().keep_refusal(Refusal::Revoked { serial });
            self.say_goodbye(&Goodbye::graceful().reason("BadCertificate"));
        }
    }

    /// Reads what frames are whole, and tells how many bytes they were.
    pub(super) fn receive(&mut self, input: &[u8], now: DateTime<Utc>) -> usize {
        let mut rest = input;
        if self.stage == Stage::Greeting {
            match rest.strip_prefix(frame::PREFACE) {
                Some(more) => {
                    rest = more;
                    self.stage = match self.last {
                        Some(_) => Stage::Leaving,
                        None => Stage::Serving,
                    };
                }
                None if frame::PREFACE.starts_with(rest) => return 0,
                None => self.break_off(&Broken(code::PROTOCOL_ERROR)),
            }
        }
        loop {
            if matches!(self.stage, Stage::Flooding | Stage::Gone) {
                return input.len();
            }
            match Frame::split(rest) {
                Ok(Some((frame, more))) => {
                    rest = more;
                    if self.stage == Stage::Closing {
                        self.overhear(&frame);
                    } else if let Err(broken) = self.take(&frame, now) {
                        self.break_off(&broken);
                    }
                }
                Ok(None) => return input.len() - rest.len(),
                Err(broken) => {
                    if self.stage != Stage::Closing {
                        self.break_off(&broken);
                    }
                    return input.len();
                }
            }
        }
    }

    /// Sends what changed, and tells what was counted.
    pub(super) fn settle(&mut self) {
        if matches!(
            self.stage,
            Stage::Greeting | Stage::Serving | Stage::Leaving
        ) {
            let limit = self.limit_now();
            if limit != self.counted.max_streams {
                self.counted.max_streams = limit;
                self.fresh.limit_changes += 1;
                self.limits.push_back(limit);
                frame::put_settings(&mut self.out, &[(setting::MAX_CONCURRENT_STREAMS, limit)]);
            }
            self.send_bodies();
        }
        if self.stage == Stage::Leaving && self.streams.is_empty() {
            self.stage = Stage::Closing;
        }
        if self.stage == Stage::Flooding {
            self.flood();
        }
        self.counted.open_streams = self.streams.len() as u64;
        self.tell();
    }

    /// How many streams the client may have open.
    fn limit_now(&self) -> u32 {
        let limit = self.orders.max_streams;
        match self.orders.throttling {
            _ if !self.client.trusted => limit.min(1),
            Some(throttling) if self.rejections > 0 => limit.min(throttling.max_streams),
            _ => limit,
        }
    }

    fn take(&mut self, frame: &Frame<'_>, now: DateTime<Utc>) -> Result<(), Broken> {
        if self.block.is_some() && frame.kind != kind::CONTINUATION {
            return Err(Broken(code::PROTOCOL_ERROR));
        }
        match frame.kind {
            kind::HEADERS => {
                let content = frame.content()?;
                if frame.has(flag::END_HEADERS) {
                    return self.headers(frame.stream, frame.flags, content, now);
                }
                self.block = Some((frame.stream, frame.flags, content.to_vec()));
            }
            kind::CONTINUATION => {
                let whole = frame.has(flag::END_HEADERS);
                let Some((stream, flags, mut block)) = self.block.take() else {
                    return Err(Broken(code::PROTOCOL_ERROR));
                };
                block.extend_from_slice(frame.payload);
                if stream != frame.stream {
                    return Err(Broken(code::PROTOCOL_ERROR));
                }
                if block.len() > 4 * MAX_HEADER_LIST {
                    return Err(Broken(code::ENHANCE_YOUR_CALM));
                }
                if whole {
                    return self.headers(stream, flags, &block, now);
                }
                self.block = Some((stream, flags, block));
            }
            kind::DATA => return self.data(frame, now),
            kind::RST_STREAM => {
                frame.number()?;
                if let Some(stream) = self.streams.get(&frame.stream) {
                    self.fresh.cancelled += u64::from(stream.waiting);
                    self.drop_stream(frame.stream);
                } else if frame.stream == 0 || frame.stream > self.highest && self.last.is_none() {
                    return Err(Broken(code::PROTOCOL_ERROR));
                }
            }
            kind::SETTINGS if frame.has(flag::ACK) => match self.limits.pop_front() {
                Some(limit) => self.limit = Some(limit),
                None => return Err(Broken(code::PROTOCOL_ERROR)),
            },
            kind::SETTINGS => {
                for (key, value) in frame.settings()? {
                    self.set(key, value)?;
                }
                frame::put(&mut self.out, kind::SETTINGS, flag::ACK, 0, &[]);
            }
            kind::PING if frame.has(flag::ACK) => {
                self.goodbye_known |= frame.payload == GOODBYE_PING;
            }
            kind::PING => {
                if frame.payload.len() != 8 {
                    return Err(Broken(code::FRAME_SIZE_ERROR));
                }
                frame::put(&mut self.out, kind::PING, flag::ACK, 0, frame.payload);
            }
            kind::WINDOW_UPDATE => {
                let more = i64::from(frame.number()? & 0x7fff_ffff);
                let window = match frame.stream {
                    0 => Some(&mut self.window),
                    stream => self.streams.get_mut(&stream).map(|open| &mut open.window),
                };
                if let Some(window) = window {
                    *window += more;
                    if *window > 0x7fff_ffff {
                        return Err(Broken(code::FLOW_CONTROL_ERROR));
                    }
                }
            }
            kind::PUSH_PROMISE => return Err(Broken(code::PROTOCOL_ERROR)),
            // PRIORITY, the client's own GOAWAY, and what nobody knows.
            _ => {}
        }
        Ok(())
    }

    fn set(&mut self, key: u16, value: u32) -> Result<(), Broken> {
        match key {
            setting::HEADER_TABLE_SIZE => {
                self.table_shrunk |= (value as usize) < hpack::TABLE_SIZE;
            }
            setting::INITIAL_WINDOW_SIZE => {
                if value > 0x7fff_ffff {
                    return Err(Broken(code::FLOW_CONTROL_ERROR));
                }
                let change = i64::from(value) - self.stream_window;
                self.stream_window += change;
                for stream in self.streams.values_mut() {
                    stream.window += change;
                }
            }
            setting::MAX_FRAME_SIZE if value < frame::MAX_PAYLOAD as u32 => {
                return Err(Broken(code::PROTOCOL_ERROR));
            }
            _ => {}
        }
        Ok(())
    }

    fn headers(
        &mut self,
        id: u32,
        flags: u8,
        block: &[u8],
        now: DateTime<Utc>,
    ) -> Result<(), Broken> {
        let mut request = self.spare.pop().unwrap_or_default();
        request.clear();
        let mut fits = true;
        self.decoder
            .decode(block, |name, value, written| {
                fits &= request.add(name, value, written, MAX_HEADER_LIST);
            })
            .map_err(|hpack::Malformed| Broken(code::COMPRESSION_ERROR))?;
        let ended = flags & flag::END_STREAM != 0;
        if id <= self.highest {
            // Trailers, or what comes late for a stream that was reset.
            self.spare.push(request);
            return match ended {
                true => self.ended(id, now),
                false => Ok(()),
            };
        }
        if id.is_multiple_of(2) {
            return Err(Broken(code::PROTOCOL_ERROR));
        }
        if self.last.is_some_and(|last| id > last) {
            self.count_late();
            self.spare.push(request);
            return Ok(());
        }
        self.highest = id;
        self.count_indexed(&request);
        let limit = self.limit.map(|limit| {
            // A limit that was raised may be used before it is acknowledged here.
            self.limits.iter().fold(limit, |most, told| most.max(*told))
        });
        if limit.is_some_and(|limit| self.streams.len() >= limit as usize) {
            self.fresh.violations.over_limit += 1;
            self.spare.push(request);
            self.reset(id, code::REFUSED_STREAM);
            return Ok(());
        }
        if !fits {
            self.fresh.violations.headers_too_long += 1;
            self.spare.push(request);
            self.reset(id, code::PROTOCOL_ERROR);
            return Ok(());
        }
        let stream = Stream {
            request,
            waiting: false,
            ended: false,
            window: self.stream_window,
            sending: Bytes::new(),
        };
        self.streams.insert(id, stream);
        let open = self.streams.len() as u64;
        self.counted.most_streams = self.counted.most_streams.max(open);
        match ended {
            true => self.ended(id, now),
            false => Ok(()),
        }
    }

    fn data(&mut self, frame: &Frame<'_>, now: DateTime<Utc>) -> Result<(), Broken> {
        let content = frame.content()?;
        let length = frame.payload.len() as u32;
        self.unreturned += length;
        if self.unreturned > frame::WINDOW {
            return Err(Broken(code::FLOW_CONTROL_ERROR));
        }
        if self.unreturned > frame::WINDOW / 2 {
            frame::put_number(&mut self.out, kind::WINDOW_UPDATE, 0, self.unreturned);
            self.unreturned = 0;
        }
        let Some(stream) = self.streams.get_mut(&frame.stream) else {
            // Late for a stream that is answered, reset or never looked at.
            return Ok(());
        };
        stream.request.add_body(content);
        if frame.has(flag::END_STREAM) {
            return self.ended(frame.stream, now);
        }
        if length > 0 {
            frame::put_number(&mut self.out, kind::WINDOW_UPDATE, frame.stream, length);
        }
        Ok(())
    }

    /// The client has ended its side of a stream: the push came whole.
    fn ended(&mut self, id: u32, now: DateTime<Utc>) -> Result<(), Broken> {
        let Some(stream) = self.streams.get_mut(&id) else {
            return Ok(());
        };
        if std::mem::replace(&mut stream.ended, true) {
            return Err(Broken(code::PROTOCOL_ERROR));
        }
        stream.waiting = true;
        self.counted.arrived += 1;
        let token = || token_bytes(stream.request.token()?);
        let fault = self.state.lock().plan.next(token);
        let mut at = later(now, self.orders.delay);
        let fault = match fault {
            None => None,
            Some(Fault::Late { by }) => {
                at = later(at, by);
                None
            }
            Some(fault) => match self.end_with(id, fault) {
                Ok(fault) => fault,
                Err(ending::Ended) => return Ok(()),
            },
        };
        // Mostly the last: answers take the same time.
        let before = self.due.iter().rposition(|due| due.at <= at);
        let due = Due {
            at,
            stream: id,
            fault,
        };
        self.due.insert(before.map_or(0, |before| before + 1), due);
        Ok(())
    }

    fn reset(&mut self, id: u32, code: u32) {
        self.fresh.resets += 1;
        frame::put_number(&mut self.out, kind::RST_STREAM, id, code);
        self.drop_stream(id);
    }

    fn drop_stream(&mut self, id: u32) {
        if let Some(stream) = self.streams.remove(&id) {
            self.spare.push(stream.request);
        }
    }
}

/// This much later; a step past the end of the calendar is left out.
fn later(at: DateTime<Utc>, by: Duration) -> DateTime<Utc> {
    let step = TimeDelta::from_std(by).ok();
    step.and_then(|step| at.checked_add_signed(step))
        .unwrap_or(at)
}
