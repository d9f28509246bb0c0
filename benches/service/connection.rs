//! One persistent connection: sends a request and reads its response.

use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::ReadHalf;

pub(crate) struct Connection {
    address: SocketAddr,
    /// `None` after the connection broke, until it is needed again.
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

/// The head of a response.
struct Head {
    length: usize,
    status: u16,
    content_length: usize,
    closes: bool,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = Some(connect(address).await?);
        Ok(Self { address, stream, buffer: Vec::with_capacity(4096) })
    }

    /// Sends a request, reads the whole response and returns its status.
    ///
    /// A refusal may arrive before the request is sent completely, so the response is read at the same time.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<u16> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(self.address).await?,
        };
        let (mut reader, mut writer) = stream.split();
        let (sent, head) =
            tokio::join!(writer.write_all(request), response(&mut reader, &mut self.buffer));
        let head = head?;
        if sent.is_ok() && !head.closes {
            self.stream = Some(stream);
        }
        Ok(head.status)
    }
}

async fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn response(reader: &mut ReadHalf<'_>, buffer: &mut Vec<u8>) -> Result<Head> {
    buffer.clear();
    loop {
        if reader.read_buf(buffer).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        if let Some(head) = parse(buffer)?
            && head.length + head.content_length <= buffer.len()
        {
            return Ok(head);
        }
    }
}

/// Parses a head; `None` while it is incomplete.
fn parse(bytes: &[u8]) -> Result<Option<Head>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut parsed = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) = parsed.parse(bytes).map_err(Error::other)? else {
        return Ok(None);
    };
    let value = |name: &str| {
        let header = parsed.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(header.value).ok()
    };
    let content_length = value("content-length").and_then(|value| value.parse().ok());
    let content_length =
        content_length.ok_or_else(|| Error::other("the response has no content-length"))?;
    let closes = value("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    Ok(Some(Head { length, status: parsed.code.unwrap_or(0), content_length, closes }))
}
