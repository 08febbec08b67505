//! A server that says back what it hears, on one thread, one write a read: what loopback sockets allow.

use std::net::{self, SocketAddr};
use std::thread;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::task::LocalSet;

/// Runs until the process ends; returns where it listens.
pub fn start() -> SocketAddr {
    let listener = net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    listener.set_nonblocking(true).expect("a socket");
    thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        LocalSet::new().block_on(&runtime, async {
            let listener = TcpListener::from_std(listener).expect("a listener");
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                tokio::task::spawn_local(echo(stream));
            }
        });
    });
    address
}

/// A load that has ended closes, and that is no trouble.
async fn echo(mut stream: TcpStream) {
    stream.set_nodelay(true).expect("a socket");
    let mut heard = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = stream.read(&mut heard).await {
        if stream.write_all(&heard[..length]).await.is_err() {
            return;
        }
    }
}
