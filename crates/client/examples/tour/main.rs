//! A tour of a project's registry: push, wait, look, remove.
//!
//! ```sh
//! export HYTHE_SERVER=http://localhost:5000 HYTHE_USERNAME=ada HYTHE_PASSWORD=…
//! cargo run -p hythe-client --example tour -- lab build        # the project, and the folder of an OCI layout
//! ```

mod tour;

use std::error::Error;
use std::io::Write as _;
use std::path::Path;

use hythe_client::account::OwnLogin;
use hythe_outbound::Url;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(project), Some(folder)) = (arguments.next(), arguments.next()) else {
        return Err("say the project and the folder of a layout".into());
    };
    let server = Url::parse(&std::env::var("HYTHE_SERVER")?)?;
    let login = OwnLogin {
        username: std::env::var("HYTHE_USERNAME")?,
        secret: std::env::var("HYTHE_PASSWORD")?.into(),
    };
    let say = |line: &str| {
        // Somebody who stops reading is no failure.
        drop(writeln!(std::io::stdout(), "{line}"));
    };
    tour::tour(server, login, &project, Path::new(&folder), say).await
}
